// Request body -> payload octets: walks a use case's payload with the body at hand. Evaluation is
// exact integer arithmetic; what does not fit its place is refused with the path of the element
// (gbcs-value-range), what is not there with gbcs-value-missing.
#pragma once
#include <functional>

#include "gbcs/template/ast.h"
#include "gbcs/template/moment.h"

namespace wattseal::gbcs::gmt {

// The values of expressions, one function a kind.
class Evaluator {
 public:
  Evaluator(const Template& use_case, const TransformContext& context)
      : use_case_(use_case), context_(context) {}

  Result<Integer> integer(const Expr& expr, const xml::Element& here) const;
  Result<std::string> text(const Expr& expr, const xml::Element& here) const;
  Result<Bytes> octets(const Expr& expr, const xml::Element& here) const;
  Result<bool> boolean(const Expr& expr, const xml::Element& here) const;
  Result<Moment> moment(const Expr& expr, const xml::Element& here) const;

  const TransformContext& context() const { return context_; }
  // All elements at a path, in the order of the document.
  std::vector<const xml::Element*> all(const Path& path, const xml::Element& here) const;
  void set(int slot, Integer value) { slots_[static_cast<std::size_t>(slot)] = value; }
  // A refusal whose field names the first request element that `expr` reads, and whose detail the
  // place in the template.
  Refusal range(const Expr& expr, std::string why) const;
  // Refuses gbcs-value-repeated when a path that picks an element by its index, child or text found
  // more than one so far: the payload carries it once, and which one is meant nobody can say.
  Status no_repeats() const;
  // One whose field is given: an element below those that expressions read.
  Refusal refuse(RuleId rule, int line, std::string field, std::string why) const;

 private:
  const xml::Element* first(const Path& path, const xml::Element& here) const;
  bool satisfies(const Step& step, const xml::Element& element) const;
  std::string name_of(const Step& step) const;
  void collect(const Path& path, std::size_t depth, const xml::Element& here, std::size_t most,
               std::vector<const xml::Element*>& found) const;
  Refusal impossible(const Expr& expr) const;
  Result<Integer> fold(const Expr& expr, const xml::Element& here) const;
  Result<Integer> packed(const Expr& expr, const xml::Element& here) const;
  // The result expression of a map for the subject found; refuses gbcs-value-range when no key is
  // equal.
  Result<const Expr*> mapped(const Expr& expr, const xml::Element& here) const;
  Result<const Expr*> chosen(const Expr& expr, const xml::Element& here) const;
  Result<Bytes> cosem_date(const Expr& expr, const xml::Element& here) const;
  Result<Bytes> gas_date(const Expr& expr, const xml::Element& here) const;
  Result<Integer> minutes(const Expr& expr, const xml::Element& here) const;
  Result<Integer> periods(const Expr& expr, const xml::Element& here) const;
  Result<Bytes> big_endian(const Expr& expr, const xml::Element& here) const;
  Result<Bytes> decoded(const Expr& expr, const xml::Element& here) const;  // hexadecimal, base64

  const Template& use_case_;
  const TransformContext& context_;
  Slots slots_{};
  mutable std::string repeated_;  // the first path that found more than it may
};

// The items of a list with loops and conditions resolved.
class ListWriter {
 public:
  using Emit = std::function<Status(const Node&, const xml::Element&)>;
  explicit ListWriter(Evaluator& values) : values_(values) {}
  Status each(const std::vector<Node>& nodes, const xml::Element& here, const Emit& emit);

 protected:
  Evaluator& values_;

 private:
  Status one(const Node& node, const xml::Element& here, const Emit& emit);
  Status for_each(const Node& node, const xml::Element& here, const Emit& emit);
};

Result<Bytes> write_dlms(const std::vector<Node>& items, Evaluator& values);
Result<Bytes> write_gbz(const std::vector<Node>& components, Evaluator& values);
Result<Bytes> write_der(const std::vector<Node>& nodes, Evaluator& values);

// A ZCL command: its cluster, frame control and id.
struct ZclCommand {
  unsigned cluster;
  Octet frame_control, id;
};
// Fields of the commands that set how a gas meter treats its events: one for each different setting
// of the elements below the node's path, in order of settings. Refuses gbcs-value-missing,
// gbcs-value-range.
inline constexpr ZclCommand kSetEventConfiguration{0x0708, 0x09, 0x04};
Result<std::vector<Bytes>> event_configurations(const Node& node, const xml::Element& here,
                                                const Evaluator& values);

inline constexpr Integer kFlagsMax = 4096;  // bits of one string

// A payload has at most 64 KiB; what grows past it is refused where it happens.
inline constexpr std::size_t kPayloadOctetsMax = 65'535;
Status within_payload(const Bytes& octets, const Evaluator& values, const Node& at);

// An integer in `width` octets; refuses gbcs-value-range when it does not fit.
Result<std::uint64_t> fitting(const Node& node, Integer value, const Evaluator& values);

}  // namespace wattseal::gbcs::gmt
