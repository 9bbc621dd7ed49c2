// What a template file means once it is understood: expressions with a static kind, payload nodes,
// use cases. The loader alone builds these; the writer and the reader only walk them, each with
// code of its own, so that one cannot repeat the other's mistake. All names are resolved: operators
// are enumerators, loop variables are slots, instances are octets.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "gbcs/template.h"

namespace wattseal::gbcs::gmt {

// Wide enough for every 64-bit field of either sign, so that one type carries counters, seconds and
// prices.
__extension__ typedef __int128 Integer;

inline constexpr std::size_t kSlots = 16;  // loop variables alive at once
using Slots = std::array<Integer, kSlots>;

// One step of a path: a local name or any name, and at most one thing that must have a value: an
// attribute, a child, or the element itself.
struct Step {
  enum class By : Octet { nothing, attribute, child, text };
  std::string name;       // empty: any element (*)
  int name_slot = -1;     // a loop variable whose value follows the name:
  bool name_hex = false;  // as two hexadecimal digits, else decimal
  By by = By::nothing;
  std::string key;       // name of the attribute or child
  std::string expected;  // the value, when it is literal
  int slot = -1;         // else the loop variable that holds it
};

struct Path {
  bool from_body =
      false;  // written with a leading '/': from the body element instead of the current one
  std::vector<Step> steps;  // none: the current element itself
  std::string text;         // as written, for messages
};

enum class Kind : Octet { integer, text, octets, boolean, moment };

enum class Op : Octet {
  integer_literal,
  text_literal,
  octets_literal,
  boolean_literal,
  to_integer,
  to_octets,
  to_boolean,
  to_moment,  // of the text in arguments[0]
  nothing,    // no value can stand here: what leads to it is refused
  value_of,
  attribute_of,
  has,
  count,  // of path; value_of may have a default in arguments[0]
  variable,
  counter,
  originator,
  target,
  now,
  execution,
  never,
  fact,
  fact_cell,  // column `number` of the row that the loop variable `bound` counts, of the fact
              // `text`
  device_type,
  key_agreement_certificate,
  decimal,  // text scaled by 10^number to an integer
  add,
  subtract,
  multiply,
  divide,
  modulo,
  packed,              // bit fields from the most significant; widths in octets
  within,              // arguments[0], from number to bound
  seconds_since_2000,  // of a moment; `never` is written as number
  minutes_of_day,      // of a time of day in arguments[0]
  periods,  // how many instants, `number` seconds apart, from arguments[0] up to arguments[1]
  map,
  choose,
  negate,
  one_of,  // arguments[0] is one of the texts that follow
  equal,   // map: subject, then key and result in turn
  from_hex,
  from_base64,
  concatenate,
  big_endian,  // in `number` octets
  instance,    // octets with the octet at `number` computed by arguments[0]
  date_time,
  date,
  gas_date,
  plain_date,  // of the text of a date without wildcards but that of the year
  time_of_day,
  exactly,  // text of `number` octets
  add_seconds,
};

struct Expr {
  Op op = Op::integer_literal;
  Kind kind = Kind::integer;
  int line = 0;
  Integer number = 0;
  Integer bound = 0;
  std::string text;  // literal, name of an attribute or a fact
  Bytes octets;      // literal, widths of bit fields
  Path path;
  std::vector<Expr> arguments;
};

enum class NodeKind : Octet {
  for_each,
  when,
  range,
  repeat,
  each,  // the variable takes the values of arguments in turn
  rows,  // once for each row of the fact `name`
  choose,
  get,
  get_range,
  set,
  action,
  dlms_null,
  dlms_boolean,
  dlms_integer,
  dlms_octets,
  dlms_bits,
  dlms_flags,  // a bit string of arguments[0] bits, those that hold set
  flag,        // the bit at arguments[0], set when arguments[1] holds
  dlms_structure,
  dlms_array,
  protect,
  protected_object,
  component,
  event_settings,  // of the events below path, one component for each different setting
  zcl_integer,
  zcl_string,
  zcl_raw,
  der_null,
  der_sequence,
  der_integer,
  der_octets,
  der_time,
  der_bits,
  der_context_integer,
  der_context_sequence,
  der_raw,
};

struct Node {
  NodeKind kind = NodeKind::dlms_null;
  int line = 0;
  Octet tag = 0;          // of DLMS data or DER
  std::size_t width = 0;  // octets of an integer
  bool is_signed = false;
  bool positional =
      false;      // a loop that does not read the index attribute: it must then equal the position
  int slot = -1;  // loop variable
  unsigned class_id = 0;  // class or cluster
  Octet member = 0;       // attribute or method; ZCL command
  Octet frame_control = 0;
  unsigned unused_bits = 0;
  Bytes literal;     // of bit strings
  std::string name;  // of a fact
  Path path;
  std::vector<Expr> arguments;
  std::vector<Node> children;
};

}  // namespace wattseal::gbcs::gmt

namespace wattseal::gbcs {

class Template {
 public:
  TemplateView view;
  std::string file;
  int line = 0;
  bool future_dated = false;          // the device holds the command until its execution time
  std::vector<gmt::Expr> conditions;  // of kind boolean, all must hold
  std::vector<gmt::Path> unused;      // request elements that the payload does not carry
  std::shared_ptr<const std::vector<gmt::Node>> payload;
};

}  // namespace wattseal::gbcs
