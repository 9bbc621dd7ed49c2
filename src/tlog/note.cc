#include "tlog/note.h"

#include <charconv>

#include "base/check.h"
#include "tlog/tiles.h"

namespace wattseal::tlog {
namespace {

constexpr std::size_t kNoteOctetsMax = 16 * 1024, kSignaturesMax = 16;
constexpr std::string_view kDash = "\xE2\x80\x94 ";  // em dash and a space begin a signature line
constexpr Octet kEcdsa = 0x02;

// SubjectPublicKeyInfo of a P-256 point: a fixed prefix and the point. Source: RFC 5480.
const Bytes kInfoPrefix = *from_hex("3059301306072a8648ce3d020106082a8648ce3d030107034200");
Bytes public_key_info(const crypto::PublicPoint& key) {
  Bytes info = kInfoPrefix;
  append(info, key);
  return info;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~' && c != '+'; });
}

bool printable(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return static_cast<unsigned char>(c) >= ' ' || c == '\n'; });
}

std::string hex_id(std::uint32_t id) {
  Bytes octets;
  put_be(octets, id);
  return to_hex(octets);
}

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return line;
}

// What one signature line says: who, and the octets after the dash.
struct SignatureLine {
  std::string_view name;
  Bytes octets;  // key id(4) signature
};
std::optional<SignatureLine> read_signature(std::string_view line) {
  if (!line.starts_with(kDash)) return std::nullopt;
  line.remove_prefix(kDash.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos)
    return std::nullopt;
  const std::optional<Bytes> octets = from_base64(line.substr(space + 1));
  if (!octets || octets->size() < 5) return std::nullopt;
  return SignatureLine{line.substr(0, space), *octets};
}

Refusal bad_note(std::string what) { return {"tlog-note"_rule, std::move(what)}; }

}  // namespace

// The key id of ECDSA keys is the beginning of the digest of the key alone. Source: signed-note.
Verifier::Verifier(std::string name, const crypto::PublicPoint& key)
    : name_(std::move(name)), key_(key) {
  CHECK(is_name(name_));
  const crypto::Digest digest = crypto::sha256(public_key_info(key));
  id_ = static_cast<std::uint32_t>(get_be(BytesView(digest).first(4)));
}

std::string Verifier::text() const {
  Bytes key{kEcdsa};
  append(key, public_key_info(key_));
  return name_ + "+" + hex_id(id_) + "+" + to_base64(key);
}

Result<Verifier> Verifier::parse(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  const auto refused = [](const char* what) { return Refusal{"tlog-key"_rule, what, "key"}; };
  const std::size_t first = text.find('+'), second = text.find('+', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos ||
      text.size() > kNoteOctetsMax || !is_name(text.substr(0, first)))
    return refused("it is not name+id+key");
  const std::optional<Bytes> key = from_base64(text.substr(second + 1));
  if (!key || key->size() != 1 + kInfoPrefix.size() + 65 || key->front() != kEcdsa ||
      !equal(BytesView(*key).subspan(1, kInfoPrefix.size()), kInfoPrefix))
    return refused("the key is not one of type 2 on P-256");
  TRY_ASSIGN(const crypto::PublicPoint point, crypto::parse_point(BytesView(*key).last(65)));
  Verifier verifier(std::string(text.substr(0, first)), point);
  if (verifier.text() != text) return refused("the key id does not belong to the key");
  return verifier;
}

std::string sign_note(std::string_view text, const std::string& name,
                      const crypto::PrivateKey& key) {
  CHECK(text.ends_with('\n') && printable(text));
  Bytes octets;
  put_be(octets, Verifier(name, key.public_point()).id());
  append(octets, crypto::signature_to_der(key.sign(crypto::sha256(as_bytes(text)))));
  return std::string(text) + "\n" + std::string(kDash) + name + " " + to_base64(octets) + "\n";
}

Result<std::string> open_note(std::string_view note, const Verifier& trusted) {
  if (note.size() > kNoteOctetsMax) return bad_note("it has more than 16384 octets");
  if (!printable(note)) return bad_note("it has control characters");
  const std::size_t gap = note.rfind("\n\n");
  if (gap == std::string_view::npos || !note.ends_with('\n'))
    return bad_note("no empty line stands before the signatures");
  const std::string_view text = note.substr(0, gap + 1);
  std::string_view lines = note.substr(gap + 2);
  bool believed = false;
  for (std::size_t count = 0; !lines.empty(); ++count) {
    const std::optional<SignatureLine> line = read_signature(take_line(lines));
    if (!line || count == kSignaturesMax) return bad_note("a signature line is malformed");
    if (line->name != trusted.name() || get_be(BytesView(line->octets).first(4)) != trusted.id())
      continue;
    const Result<crypto::Signature> signature =
        crypto::signature_from_der(BytesView(line->octets).subspan(4));
    if (!signature.ok() ||
        !crypto::verify(trusted.key(), crypto::sha256(as_bytes(text)), *signature))
      return Refusal{"tlog-signature"_rule, "the signature of " + trusted.name() + " is wrong"};
    believed = true;
  }
  if (!believed)
    return Refusal{"tlog-signature"_rule,
                   "no signature is by " + trusted.name() + "+" + hex_id(trusted.id())};
  return std::string(text);
}

std::string Checkpoint::text() const {
  std::string out = origin + "\n" + std::to_string(size) + "\n" + to_base64(root) + "\n";
  for (const std::string& line : extensions) out += line + "\n";
  return out;
}

Result<Checkpoint> Checkpoint::parse(std::string_view text) {
  const auto refused = [](const char* what) {
    return Refusal{"tlog-checkpoint"_rule, what, "checkpoint"};
  };
  if (!text.ends_with('\n') || text.size() > kNoteOctetsMax || !printable(text))
    return refused("it is not made of lines");
  std::string_view rest = text;
  Checkpoint checkpoint;
  checkpoint.origin = std::string(take_line(rest));
  const std::string_view size = take_line(rest);
  const auto [end, error] =
      std::from_chars(size.data(), size.data() + size.size(), checkpoint.size);
  if (checkpoint.origin.empty() || error != std::errc() || end != size.data() + size.size() ||
      std::to_string(checkpoint.size) != size || checkpoint.size > kTreeSizeMax)
    return refused("the second line is no size");
  const std::string_view hash = take_line(rest);
  const std::optional<Bytes> root = from_base64(hash);
  if (!root || root->size() != kHashOctets || to_base64(*root) != hash)
    return refused("the third line is no hash");
  std::ranges::copy(*root, checkpoint.root.begin());
  while (!rest.empty()) {
    checkpoint.extensions.emplace_back(take_line(rest));
    if (checkpoint.extensions.back().empty()) return refused("an extension line is empty");
  }
  return checkpoint;
}

}  // namespace wattseal::tlog
