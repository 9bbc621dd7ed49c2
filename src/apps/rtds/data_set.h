// The files of the reference test data set, and what it says of devices, counters and keys. Private
// to apps.
#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "crypto/keys.h"
#include "gateway/transform.h"

namespace wattseal::apps {

// A request for which the notes of the data set, or data/reference_exceptions.tsv, give other
// values than the request has.
struct Correction {
  duis::ServiceRequest request;
  std::string reason;
};

class RtdsDataSet {
 public:
  using Files = std::map<std::string, std::filesystem::path>;

  // The folder itself or its parent. Refuses apps-vectors.
  static Result<RtdsDataSet> open(const std::filesystem::path& vectors);

  // By name: "ECS17b_4.1.1_SINGLE_SUCCESS". Other messages have their whole stem as name.
  Files requests, commands, pre_commands, messages;  // messages: all of them, by stem

  std::filesystem::path folder;
  const nlohmann::json& noted(const std::string& name) const;  // an object, maybe empty
  Result<DeviceType> type(Eui64 device) const;                 // refuses gbcs-fact-missing
  Result<Eui64> broker() const;                                // refuses apps-vectors
  Result<UtcTime> now(const std::string& name) const;          // refuses apps-vectors
  // The originator by the notes, else by the request. Refuses apps-vectors.
  Result<gateway::Originator> originator(const std::string& name, const duis::RequestId& id) const;
  std::optional<Correction> corrected(const std::string& name,
                                      const duis::ServiceRequest& request) const;

 private:
  Status list(const std::filesystem::path& from);
  void list_requests(const std::filesystem::path& from);
  nlohmann::json context_;
};

// What the notes know for one request.
class RtdsFacts final : public gbcs::Facts {
 public:
  RtdsFacts(const RtdsDataSet& data, const std::string& name)
      : data_(data), noted_(data.noted(name)) {}
  Result<int> device_type_code(Eui64 device) const override;
  Result<Bytes> key_agreement_certificate(Eui64 device) const override;
  Result<std::string> named(std::string_view name) const override;
  Result<RemotePartyRole> role_of(Eui64 party) const override;  // by its certificate
  Result<Rows> rows(std::string_view name) const override;

 private:
  const RtdsDataSet& data_;
  const nlohmann::json& noted_;
};

// The public test keys, by identity and use: "ds" or "ka".
class RtdsKeys {
 public:
  explicit RtdsKeys(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::optional<crypto::PublicPoint> point(Eui64 owner, const std::string& use);
  // With whichever private key is at hand.
  std::optional<crypto::SharedSecret> secret(Eui64 one, Eui64 other);

 private:
  std::filesystem::path folder_;
  std::map<std::pair<Eui64, Eui64>, std::optional<crypto::SharedSecret>> secrets_;
  std::map<std::pair<Eui64, std::string>, std::optional<crypto::PublicPoint>> points_;
};

}  // namespace wattseal::apps
