// What the tests of this module share: the reference messages and the keys of the reference test
// PKI. Tests only.
#pragma once
#include <map>
#include <random>

#include "crypto/keys.h"
#include "gbcs/message.h"
#include "gbcs/parse.h"
#include "tests/vectors.h"

namespace wattseal::gbcs::test {

struct Reference {
  std::string name;
  Bytes octets;
};

// All reference messages in order of their names.
inline std::vector<Reference> reference_messages(const std::filesystem::path& vectors) {
  std::vector<Reference> found;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(vectors / "rtds" / "rtds-4.5.0")) {
    if (entry.path().extension() != ".HEX") continue;
    found.push_back({entry.path().filename().string(), wattseal::test::read_hex(entry.path())});
  }
  std::ranges::sort(found, {}, &Reference::name);
  return found;
}

inline bool is_device(Eui64 eui) { return eui.number() >> 48 == 0x00DB; }

// Keys by identity and use: "ds", "ka" or "pp-ka". Private keys are there for organisations only.
class ReferenceKeys {
 public:
  explicit ReferenceKeys(const std::filesystem::path& vectors)
      : folder_(vectors / "rtds" / "keystore") {}

  std::optional<crypto::PublicPoint> point(Eui64 owner, const std::string& use) {
    const std::filesystem::path file = folder_ / (owner.hex() + "-" + use + ".pem");
    const auto known = points_.find(file);
    if (known != points_.end()) return known->second;
    return points_[file] = read_point(file);
  }

  crypto::KeyHandle key(Eui64 owner, const std::string& use) {
    const std::filesystem::path file = folder_ / (owner.hex() + "-" + use + ".key");
    const auto known = keys_.find(file);
    if (known != keys_.end()) return known->second;
    if (!std::filesystem::exists(file)) return nullptr;
    return keys_[file] = crypto::key_from_test_pem(wattseal::test::read_text(file)).value();
  }

  // Of two key agreement keys, whichever side's private key is at hand.
  std::optional<crypto::SharedSecret> secret(Eui64 one, Eui64 other,
                                             const std::string& use_of_one = "ka") {
    const auto known = secrets_.find({one, other, use_of_one});
    if (known != secrets_.end()) return known->second;
    const crypto::KeyHandle mine = key(one, use_of_one);
    const std::optional<crypto::PublicPoint> theirs = point(other, "ka");
    if (mine == nullptr || !theirs)
      return use_of_one == "ka" && key(other, "ka") ? secret(other, one) : std::nullopt;
    return secrets_[{one, other, use_of_one}] = mine->agree(*theirs);
  }

  // The pair whose secret a message's MAC is made with: the access control broker stands in for the
  // originator of a command.
  std::optional<crypto::SharedSecret> mac_secret(const Message& message) {
    const bool to_device = message.cra == Cra::command && !is_device(message.originator);
    return secret(to_device ? kBroker : message.target,
                  to_device ? message.target : message.originator);
  }

 private:
  static constexpr Eui64 kBroker = Eui64::from_number(0x90B3D51F30000002);

  // The subject's public key is the only BIT STRING of 66 octets that starts with 00 04.
  static std::optional<crypto::PublicPoint> read_point(const std::filesystem::path& file) {
    if (!std::filesystem::exists(file)) return std::nullopt;
    const std::string pem = wattseal::test::read_text(file);
    const std::size_t begin = pem.find('\n') + 1;
    const Bytes der = from_base64(pem.substr(begin, pem.find("-----END") - begin)).value();
    constexpr std::array<Octet, 4> kMark{0x03, 0x42, 0x00, 0x04};
    const auto mark = std::ranges::search(der, kMark);
    CHECK(!mark.empty());
    return crypto::parse_point(BytesView(mark.begin() + 3, 65)).value();
  }

  std::filesystem::path folder_;
  std::map<std::filesystem::path, std::optional<crypto::PublicPoint>> points_;
  std::map<std::filesystem::path, crypto::KeyHandle> keys_;
  std::map<std::tuple<Eui64, Eui64, std::string>, crypto::SharedSecret> secrets_;
};

// Opens encrypted attributes with the keys of the data set; without any.
inline Opener with_reference_keys(ReferenceKeys& keys) {
  return [&keys](const Message& message, BytesView blob) -> Result<Bytes> {
    const AttributeRecipient recipient = attribute_recipient(message);
    const std::optional<crypto::SharedSecret> secret =
        keys.secret(recipient.party, message.originator);
    if (!secret) return Refusal{"gbcs-no-key"_rule, "no key of " + recipient.party.text()};
    return open_attribute(*secret, message.originator, recipient.counter, recipient.party, blob);
  };
}
inline Result<Bytes> no_key(const Message&, BytesView) {
  return Refusal{"gbcs-no-key"_rule, "no key at hand"};
}

inline crypto::SharedSecret counting_secret() {
  crypto::SharedSecret secret;
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<Octet>(i);
  return secret;
}

}  // namespace wattseal::gbcs::test
