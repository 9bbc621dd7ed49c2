// Keys behind PKCS#11 2.40. The module is loaded once a process and never unloaded: unloading
// SoftHSM at exit, after OpenSSL has been torn down, is known to crash. Sessions are pooled; C_Sign
// and C_DeriveKey run one per session. When the token was removed or restarted the module is
// initialised again, the token found by its label and its keys by theirs; while it is away every
// call throws Fault.
// No process may fork after C_Initialize and go on using the token.
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "base/fault.h"
#include "crypto/labels.h"

namespace wattseal::crypto {
namespace {

constexpr Octet kP256Parameters[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
constexpr std::size_t kSessionsMax =
    4;  // more do not help: tokens serialise (measured with SoftHSM2)

void must(CK_RV result, const char* what) {
  if (result == CKR_OK) return;
  char code[32];
  std::snprintf(code, sizeof code, " (CKR 0x%lX)", result);
  throw Fault(std::string("PKCS#11 failed: ") + what + code);
}

// What a removed, restarted or re-plugged token answers; modules differ, and some name no cause.
bool token_lost(CK_RV result) {
  constexpr CK_RV kLost[] = {
      CKR_SESSION_HANDLE_INVALID,   CKR_SESSION_CLOSED,        CKR_USER_NOT_LOGGED_IN,
      CKR_DEVICE_REMOVED,           CKR_TOKEN_NOT_PRESENT,     CKR_TOKEN_NOT_RECOGNIZED,
      CKR_KEY_HANDLE_INVALID,       CKR_OBJECT_HANDLE_INVALID, CKR_SLOT_ID_INVALID,
      CKR_CRYPTOKI_NOT_INITIALIZED, CKR_DEVICE_ERROR,          CKR_GENERAL_ERROR,
      CKR_FUNCTION_FAILED};
  return std::ranges::find(kLost, result) != std::end(kLost);
}

// A loaded module. Calls share the mutex; who initialises the module again holds it alone, because
// every session and handle of the process is void then.
struct Module {
  CK_FUNCTION_LIST* functions = nullptr;
  std::shared_mutex mutex;
  std::uint64_t generation = 1;  // of the initialisation
  std::string configuration;     // of SoftHSM, which reads it when it is initialised

  void initialise_again() {
    functions->C_Finalize(nullptr);
    ++generation;
    initialise();
  }
  void initialise() {
    CK_C_INITIALIZE_ARGS arguments{};
    arguments.flags = CKF_OS_LOCKING_OK;
    const CK_RV result = functions->C_Initialize(&arguments);
    if (result != CKR_CRYPTOKI_ALREADY_INITIALIZED) must(result, "C_Initialize");
  }
};

// Loaded modules, by path; see above why they stay.
Result<Module*> load_module(const std::filesystem::path& path) {
  static std::mutex mutex;
  static std::map<std::string, Module*>* const loaded = new std::map<std::string, Module*>;
  const std::lock_guard lock(mutex);
  const std::map<std::string, Module*>::const_iterator known = loaded->find(path.string());
  if (known != loaded->end()) return known->second;
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return Refusal{"pkcs11-module-missing"_rule,
                   "no PKCS#11 module can be loaded from " + path.string()};
  using GetFunctionList = CK_RV (*)(CK_FUNCTION_LIST**);
  const GetFunctionList get =
      reinterpret_cast<GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
  CK_FUNCTION_LIST* functions = nullptr;
  if (!get || get(&functions) != CKR_OK)
    return Refusal{"pkcs11-module-missing"_rule, path.string() + " is no PKCS#11 module"};
  Module* const module = new Module;
  module->functions = functions;
  module->initialise();
  return (*loaded)[path.string()] = module;
}

std::vector<CK_SLOT_ID> slots(CK_FUNCTION_LIST* functions) {
  CK_ULONG count = 0;
  must(functions->C_GetSlotList(CK_TRUE, nullptr, &count), "C_GetSlotList");
  std::vector<CK_SLOT_ID> all(count);
  must(functions->C_GetSlotList(CK_TRUE, all.data(), &count), "C_GetSlotList");
  all.resize(count);
  return all;
}

std::string token_label(const CK_TOKEN_INFO& info) {
  std::string label(reinterpret_cast<const char*>(info.label), sizeof info.label);
  label.erase(label.find_last_not_of(' ') + 1);
  return label;
}

// CKA_EC_POINT is an OCTET STRING around the point.
PublicPoint read_point(CK_FUNCTION_LIST* functions, CK_SESSION_HANDLE session,
                       CK_OBJECT_HANDLE object) {
  std::array<Octet, 80> octets{};
  CK_ATTRIBUTE attribute{CKA_EC_POINT, octets.data(), octets.size()};
  must(functions->C_GetAttributeValue(session, object, &attribute, 1), "C_GetAttributeValue");
  BytesView point = BytesView(octets).first(attribute.ulValueLen);
  if (point.size() == 67 && point[0] == 0x04 && point[1] == 65) point = point.subspan(2);
  const Result<PublicPoint> parsed = parse_point(point);
  if (!parsed.ok()) throw Fault("PKCS#11 failed: a public key of the token is no point of P-256");
  return *parsed;
}

struct Found {
  std::string label;
  CK_OBJECT_HANDLE object = 0;
};

std::vector<Found> find_keys(CK_FUNCTION_LIST* functions, CK_SESSION_HANDLE session,
                             CK_OBJECT_CLASS key_class) {
  CK_KEY_TYPE type = CKK_EC;
  CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &key_class, sizeof key_class},
                           {CKA_KEY_TYPE, &type, sizeof type}};
  must(functions->C_FindObjectsInit(session, wanted, std::size(wanted)), "C_FindObjectsInit");
  std::vector<CK_OBJECT_HANDLE> objects;
  std::array<CK_OBJECT_HANDLE, 256> some{};
  for (CK_ULONG count = some.size(); count == some.size();) {
    must(functions->C_FindObjects(session, some.data(), some.size(), &count), "C_FindObjects");
    objects.insert(objects.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count));
  }
  must(functions->C_FindObjectsFinal(session), "C_FindObjectsFinal");
  std::vector<Found> all;
  for (const CK_OBJECT_HANDLE object : objects) {
    std::array<char, 256> label{};
    CK_ATTRIBUTE attribute{CKA_LABEL, label.data(), label.size()};
    must(functions->C_GetAttributeValue(session, object, &attribute, 1), "C_GetAttributeValue");
    all.push_back({std::string(label.data(), attribute.ulValueLen), object});
  }
  return all;
}

std::optional<CK_SLOT_ID> find_slot(CK_FUNCTION_LIST* functions, const std::string& label) {
  for (const CK_SLOT_ID slot : slots(functions)) {
    CK_TOKEN_INFO info{};
    if (functions->C_GetTokenInfo(slot, &info) == CKR_OK && token_label(info) == label) return slot;
  }
  return std::nullopt;
}

class Token {
 public:
  Token(Module& module, const Pkcs11Options& options)
      : module_(module), label_(options.token_label), pin_(options.pin) {}
  ~Token() {
    const std::shared_lock lock(module_.mutex);
    if (generation_ == module_.generation) module_.functions->C_CloseAllSessions(slot_);
  }
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;

  // Finds the token, logs in and finds its keys.
  Status open() {
    const std::unique_lock lock(module_.mutex);
    return open_alone();
  }

  // Runs `work(functions, session)` with a session of the pool. When the token was lost, once more
  // after opening it again. Throws Fault when it is away.
  template <typename Work>
  void with_session(const char* what, Work&& work) {
    std::uint64_t opened = 0;
    CK_RV result = attempt(work, opened);
    if (token_lost(result)) {
      recover(opened);
      result = attempt(work, opened);
    }
    must(result, what);
  }

  // Valid within with_session only; 0 for what is not there.
  CK_OBJECT_HANDLE object(const std::string& label) const {
    const std::lock_guard lock(objects_mutex_);
    const auto found = objects_.find(label);
    return found == objects_.end() ? 0 : found->second;
  }
  void add_object(const std::string& label, CK_OBJECT_HANDLE object) {
    const std::lock_guard lock(objects_mutex_);
    objects_[label] = object;
  }
  const std::map<std::string, PublicPoint>& points() const { return points_; }  // at opening

 private:
  template <typename Work>
  CK_RV attempt(Work&& work, std::uint64_t& opened) {
    const std::shared_lock lock(module_.mutex);
    opened = opened_;
    if (generation_ != module_.generation) return CKR_CRYPTOKI_NOT_INITIALIZED;
    CK_SESSION_HANDLE session = 0;
    const CK_RV taken = take(session);
    if (taken != CKR_OK) return taken;
    const CK_RV result = work(module_.functions, session);
    give_back(session);
    return result;
  }

  // `opened`: what the caller saw; nothing is done when somebody has recovered since.
  void recover(std::uint64_t opened) {
    const std::unique_lock lock(module_.mutex);
    if (opened_ != opened) return;
    // Only a module that starts anew looks for tokens again; somebody else may have done that, but
    // while the token was still away.
    if (generation_ == module_.generation || !find_slot(module_.functions, label_)) {
      module_.initialise_again();
    }
    const Status status = open_alone();
    if (!status.ok()) throw Fault("PKCS#11 failed: " + status.refusal().detail);
  }

  Status open_alone() {
    CK_FUNCTION_LIST* const functions = module_.functions;
    const std::optional<CK_SLOT_ID> slot = find_slot(functions, label_);
    if (!slot) return Refusal{"pkcs11-token-missing"_rule, "no token is labelled " + label_};
    slot_ = *slot;
    CK_SESSION_HANDLE session = 0;
    must(open_session(session), "C_OpenSession");
    const CK_RV result = functions->C_Login(
        session, CKU_USER, reinterpret_cast<CK_UTF8CHAR*>(pin_.data()), pin_.size());
    if (result == CKR_PIN_INCORRECT || result == CKR_PIN_LEN_RANGE || result == CKR_PIN_INVALID ||
        result == CKR_PIN_LOCKED) {
      functions->C_CloseSession(session);
      return Refusal{"pkcs11-pin-refused"_rule, "the token does not accept the PIN"};
    }
    if (result != CKR_USER_ALREADY_LOGGED_IN) must(result, "C_Login");
    free_ = {session};
    made_ = 1;
    points_.clear();
    for (const Found& found : find_keys(functions, session, CKO_PUBLIC_KEY))
      points_[found.label] = read_point(functions, session, found.object);
    const std::lock_guard lock(objects_mutex_);
    objects_.clear();
    for (const Found& found : find_keys(functions, session, CKO_PRIVATE_KEY))
      objects_[found.label] = found.object;
    generation_ = module_.generation;
    ++opened_;
    return {};
  }

  CK_RV open_session(CK_SESSION_HANDLE& session) {
    return module_.functions->C_OpenSession(slot_, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr,
                                            nullptr, &session);
  }
  CK_RV take(CK_SESSION_HANDLE& session) {
    std::unique_lock lock(mutex_);
    if (free_.empty() && made_ < kSessionsMax) {
      ++made_;
      lock.unlock();
      const CK_RV result = open_session(session);
      if (result == CKR_OK) return result;
      lock.lock();
      --made_;
      return result;
    }
    given_back_.wait(lock, [this] { return !free_.empty(); });
    session = free_.back();
    free_.pop_back();
    return CKR_OK;
  }
  void give_back(CK_SESSION_HANDLE session) {
    {
      const std::lock_guard lock(mutex_);
      free_.push_back(session);
    }
    given_back_.notify_one();
  }

  Module& module_;
  const std::string label_;
  std::string pin_;
  // Changed with the module's mutex held alone.
  CK_SLOT_ID slot_ = 0;
  std::uint64_t generation_ = 0, opened_ = 0;
  std::map<std::string, PublicPoint> points_;
  mutable std::mutex objects_mutex_;
  std::map<std::string, CK_OBJECT_HANDLE> objects_;
  // The pool.
  std::mutex mutex_;
  std::condition_variable given_back_;
  std::vector<CK_SESSION_HANDLE> free_;
  std::size_t made_ = 0;
};

class TokenKey final : public PrivateKey {
 public:
  TokenKey(std::shared_ptr<Token> token, std::string label, const PublicPoint& point)
      : token_(std::move(token)), label_(std::move(label)), point_(point) {}

  const PublicPoint& public_point() const override { return point_; }

  Signature sign_unverified(const Digest& digest) const override {
    Signature signature{};
    token_->with_session("C_Sign", [&](CK_FUNCTION_LIST* functions, CK_SESSION_HANDLE session) {
      CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
      const CK_RV result = functions->C_SignInit(session, &mechanism, token_->object(label_));
      if (result != CKR_OK) return result;
      CK_ULONG length = signature.size();
      return functions->C_Sign(session, const_cast<Octet*>(digest.data()), digest.size(),
                               signature.data(), &length);
    });
    return signature;
  }

  SharedSecret agree(const PublicPoint& peer) const override {
    SharedSecret secret{};
    token_->with_session(
        "C_DeriveKey", [&](CK_FUNCTION_LIST* functions, CK_SESSION_HANDLE session) {
          CK_ECDH1_DERIVE_PARAMS parameters{CKD_NULL, 0, nullptr, peer.size(),
                                            const_cast<Octet*>(peer.data())};
          CK_MECHANISM mechanism{CKM_ECDH1_DERIVE, &parameters, sizeof parameters};
          CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
          CK_KEY_TYPE type = CKK_GENERIC_SECRET;
          CK_ULONG length = secret.size();
          CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
          CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &secret_class, sizeof secret_class},
                                   {CKA_KEY_TYPE, &type, sizeof type},
                                   {CKA_TOKEN, &no, sizeof no},
                                   {CKA_SENSITIVE, &no, sizeof no},
                                   {CKA_EXTRACTABLE, &yes, sizeof yes},
                                   {CKA_VALUE_LEN, &length, sizeof length}};
          CK_OBJECT_HANDLE derived = 0;
          CK_RV result = functions->C_DeriveKey(session, &mechanism, token_->object(label_), wanted,
                                                std::size(wanted), &derived);
          if (result != CKR_OK) return result;
          CK_ATTRIBUTE value{CKA_VALUE, secret.data(), secret.size()};
          result = functions->C_GetAttributeValue(session, derived, &value, 1);
          functions->C_DestroyObject(session, derived);
          return result;
        });
    return secret;
  }

 private:
  const std::shared_ptr<Token> token_;
  const std::string label_;
  const PublicPoint point_;
};

class Pkcs11KeyStore final : public KeyStore {
 public:
  explicit Pkcs11KeyStore(std::shared_ptr<Token> token) : token_(std::move(token)) {}

  std::string_view kind() const override { return "pkcs11"; }

  void load() {
    for (const auto& [label, point] : token_->points()) {
      if (token_->object(label) != 0)
        keys_[label] = std::make_shared<TokenKey>(token_, label, point);
    }
  }

  Result<std::vector<KeyHandle>> generate(std::span<const std::string> labels) override {
    const std::lock_guard lock(mutex_);
    TRY(check_labels(labels, [this](const std::string& label) { return keys_.contains(label); }));
    std::vector<KeyHandle> made;
    for (const std::string& label : labels) {
      token_->with_session("C_GenerateKeyPair",
                           [&](CK_FUNCTION_LIST* functions, CK_SESSION_HANDLE session) {
                             return generate_pair(functions, session, label, made);
                           });
    }
    for (std::size_t i = 0; i < labels.size(); ++i) keys_[labels[i]] = made[i];
    return made;
  }

  Result<KeyHandle> find(std::string_view label) const override {
    const std::lock_guard lock(mutex_);
    const std::map<std::string, KeyHandle, std::less<>>::const_iterator found = keys_.find(label);
    if (found == keys_.end()) return no_such_key(label);
    return found->second;
  }

  std::vector<std::string> labels() const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> all;
    for (const auto& [label, key] : keys_) all.push_back(label);
    return all;
  }

 private:
  CK_RV generate_pair(CK_FUNCTION_LIST* functions, CK_SESSION_HANDLE session,
                      const std::string& label, std::vector<KeyHandle>& made) {
    CK_MECHANISM mechanism{CKM_EC_KEY_PAIR_GEN, nullptr, 0};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    char* const name = const_cast<char*>(label.data());
    CK_ATTRIBUTE public_part[] = {
        {CKA_EC_PARAMS, const_cast<Octet*>(kP256Parameters), sizeof kP256Parameters},
        {CKA_TOKEN, &yes, sizeof yes},
        {CKA_VERIFY, &yes, sizeof yes},
        {CKA_LABEL, name, label.size()},
        {CKA_ID, name, label.size()}};
    CK_ATTRIBUTE private_part[] = {
        {CKA_TOKEN, &yes, sizeof yes},     {CKA_PRIVATE, &yes, sizeof yes},
        {CKA_SENSITIVE, &yes, sizeof yes}, {CKA_EXTRACTABLE, &no, sizeof no},
        {CKA_SIGN, &yes, sizeof yes},      {CKA_DERIVE, &yes, sizeof yes},
        {CKA_LABEL, name, label.size()},   {CKA_ID, name, label.size()}};
    CK_OBJECT_HANDLE public_key = 0, private_key = 0;
    const CK_RV result = functions->C_GenerateKeyPair(
        session, &mechanism, public_part, std::size(public_part), private_part,
        std::size(private_part), &public_key, &private_key);
    if (result != CKR_OK) return result;
    token_->add_object(label, private_key);
    made.push_back(
        std::make_shared<TokenKey>(token_, label, read_point(functions, session, public_key)));
    return result;
  }

  const std::shared_ptr<Token> token_;
  mutable std::mutex mutex_;
  std::map<std::string, KeyHandle, std::less<>> keys_;
};

}  // namespace

Result<std::unique_ptr<KeyStore>> open_pkcs11_key_store(const Pkcs11Options& options) {
  TRY_ASSIGN(Module* const module, load_module(options.module));
  std::shared_ptr<Token> token = std::make_shared<Token>(*module, options);
  TRY(token->open());
  std::unique_ptr<Pkcs11KeyStore> store = std::make_unique<Pkcs11KeyStore>(std::move(token));
  store->load();
  return std::unique_ptr<KeyStore>(std::move(store));
}

Result<Pkcs11Options> create_softhsm_token(const std::filesystem::path& folder,
                                           const std::string& label, const std::string& pin) {
  std::filesystem::path module;
  for (const char* candidate :
       {"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so"}) {
    if (module.empty() && std::filesystem::exists(candidate)) module = candidate;
  }
  if (module.empty()) return Refusal{"pkcs11-module-missing"_rule, "SoftHSM2 is not installed"};
  std::filesystem::create_directories(folder / "tokens");
  const std::filesystem::path configuration = folder / "softhsm2.conf";
  std::ofstream(configuration) << "directories.tokendir = "
                               << std::filesystem::absolute(folder / "tokens").string()
                               << "\nobjectstore.backend = file\nlog.level = ERROR\n";
  ::setenv("SOFTHSM2_CONF", std::filesystem::absolute(configuration).c_str(), 1);
  TRY_ASSIGN(Module* const loaded, load_module(module));
  const std::unique_lock lock(loaded->mutex);
  if (loaded->configuration != configuration.string()) {
    loaded->configuration = configuration.string();
    loaded->initialise_again();
  }
  CK_FUNCTION_LIST* const functions = loaded->functions;
  const Pkcs11Options options{module, label, pin};
  for (const CK_SLOT_ID slot : slots(functions)) {
    CK_TOKEN_INFO info{};
    must(functions->C_GetTokenInfo(slot, &info), "C_GetTokenInfo");
    if (info.flags & CKF_TOKEN_INITIALIZED) {
      if (token_label(info) == label) return options;
      continue;
    }
    std::string padded = label;
    padded.resize(32, ' ');
    CK_UTF8CHAR* const pin_bytes = reinterpret_cast<CK_UTF8CHAR*>(const_cast<char*>(pin.data()));
    must(functions->C_InitToken(slot, pin_bytes, pin.size(),
                                reinterpret_cast<CK_UTF8CHAR*>(padded.data())),
         "C_InitToken");
    CK_SESSION_HANDLE session = 0;
    must(functions->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr,
                                  &session),
         "C_OpenSession");
    must(functions->C_Login(session, CKU_SO, pin_bytes, pin.size()), "C_Login");
    must(functions->C_InitPIN(session, pin_bytes, pin.size()), "C_InitPIN");
    functions->C_Logout(session);
    functions->C_CloseSession(session);
    return options;
  }
  throw Fault("SoftHSM2 offers no free slot");
}

}  // namespace wattseal::crypto
