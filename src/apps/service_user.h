// A service user, as a supplier or network operator runs one: keys, certificates, signed requests,
// an endpoint for responses, and Parse & Correlate over what comes back. It talks to the platform
// over HTTP only and shares nothing with it. Threads: one thread sends; responses arrive on the
// endpoint's own threads.
#pragma once
#include <condition_variable>
#include <map>
#include <mutex>

#include "crypto/keys.h"
#include "duis/duis.h"
#include "gateway/transform.h"
#include "gbcs/parse.h"
#include "http/http.h"
#include "xml/dsig.h"

namespace wattseal::apps {

struct UserProfile {
  Eui64 id;
  std::string name;
  RemotePartyRole role = RemotePartyRole::supplier;
  bool prepayment = false;  // has a second key agreement key for top-ups
};

struct Addresses {
  std::string smki, repository, gateway;
};

// What a request became. Times in microseconds.
struct Exchange {
  std::string acknowledgement;                    // response code of the synchronous answer
  std::string rule;                               // why it was refused, when it was
  std::optional<duis::ServiceResponse> response;  // from the device, through the gateway
  std::optional<gbcs::ParsedMessage> parsed;
  std::int64_t microseconds = 0;
};

class ServiceUser {
 public:
  ServiceUser(const World& world, UserProfile profile, Addresses addresses);
  ~ServiceUser();

  const UserProfile& profile() const { return profile_; }
  // Requests DS, KA, XML signing and prepayment certificates as the profile says. Refuses what the
  // registration authority refuses.
  Status obtain_certificates();
  // The current certificate, DER. CHECKs that there is one.
  const Bytes& certificate(KeyUse use, bool prepayment = false) const;
  // A new key pair and certificate for signing messages; the old one stays in use until devices
  // have the new one.
  Status renew_signing_certificate();
  void use_old_signing_key(bool old) { sign_with_old_ = old; }

  std::string open_endpoint();  // where responses are received: its URL
  // The type of a device, from the user's own records: Correlate and Parse need it.
  void remember(Eui64 device, DeviceType type);

  OriginatorCounter next_counter();
  OriginatorCounter next_top_up_counter();
  duis::ServiceRequest request(Eui64 device, std::string_view variant, int command_variant,
                               xml::Element body, OriginatorCounter counter) const;
  // Signs, sends, and waits for the device's answer.
  Result<Exchange> send(const duis::ServiceRequest& request, std::chrono::milliseconds wait);
  // Only sends: the signed answer as it comes.
  Result<duis::ServiceResponse> acknowledge(const duis::ServiceRequest& request);
  // Its response code: for many at once. The answers are counted by answered().
  Result<std::string> post(const duis::ServiceRequest& request);
  std::size_t answered() const;

  // The critical path. The gateway's Pre-Command for a request with command variant 4.
  Result<Bytes> transform(const duis::ServiceRequest& request);
  Result<gateway::Correlation> correlate(const duis::ServiceRequest& request,
                                         BytesView pre_command) const;
  // Signs the Pre-Command and sends it as command variant 5.
  Result<Exchange> sign_and_send(const duis::ServiceRequest& request, BytesView pre_command,
                                 std::chrono::milliseconds wait);

  std::string top_up_code(Eui64 meter, OriginatorCounter counter, unsigned pence) const;  // UTRN
  // From now on alerts go there as documents, as they come and unchecked, on the endpoint's
  // threads: a front end that queues them. Empty: they are checked and kept again.
  void take_alerts(std::function<void(std::string_view document)> take);
  // Alerts received so far, oldest first.
  std::vector<gbcs::ParsedMessage> alerts() const;
  std::vector<Bytes> alert_messages() const;  // the same as the devices sent them
  // Responses and alerts that answer no request of the user's: scheduled ones, the DCC's alerts.
  std::vector<duis::ServiceResponse> notices() const;
  bool wait_for_notice(std::size_t count, std::chrono::milliseconds wait) const;
  bool wait_for_alert(std::size_t count, std::chrono::milliseconds wait) const;

  Result<gbcs::ParsedMessage> parse(
      const gbcs::Message& message) const;  // verifies MAC or signature first
  std::string signed_document(const duis::ServiceRequest& request) const;
  // The document that carries the Pre-Command signed. CHECKs that it is one.
  std::string signed_pre_command(const duis::ServiceRequest& request, BytesView pre_command) const;

 private:
  struct Keys;
  http::Response receive(const http::Request& request);
  Result<Bytes> fetch_device_certificate(Eui64 device, KeyUse use) const;
  Result<crypto::SharedSecret> secret_with(Eui64 device) const;
  Result<std::pair<duis::ServiceResponse, std::string>> exchange(
      const duis::ServiceRequest& request) const;
  Result<Bytes> obtain(RemotePartyRole role, KeyUse use, const crypto::PrivateKey& key) const;
  Result<std::optional<duis::ServiceResponse>> wait_for(const duis::RequestId& id,
                                                        std::chrono::milliseconds wait) const;
  Status check_dcc_signature(const xml::Document& document) const;

  const World& world_;
  const UserProfile profile_;
  const Addresses addresses_;
  std::unique_ptr<Keys> keys_;
  bool sign_with_old_ = false;
  std::map<Eui64, DeviceType> devices_;
  std::uint64_t last_counter_ = 0, last_top_up_ = 0;
  std::unique_ptr<http::Client> gateway_, repository_, smki_;
  mutable std::mutex mutex_;
  mutable std::mutex repository_mutex_;
  mutable std::condition_variable changed_;
  std::map<duis::RequestId, duis::ServiceResponse> responses_;
  std::vector<gbcs::Message> alerts_;
  std::vector<duis::ServiceResponse> notices_;
  std::size_t answered_ = 0;
  std::shared_ptr<const std::function<void(std::string_view)>> take_alert_;
  mutable std::map<Eui64, Bytes>
      certificates_seen_;  // of devices; these two under repository_mutex_
  mutable std::map<CertificateSerial, crypto::PublicPoint>
      dcc_keys_;  // of document signers that were found to be the DCC's
  std::unique_ptr<http::Server> endpoint_;
};

}  // namespace wattseal::apps
