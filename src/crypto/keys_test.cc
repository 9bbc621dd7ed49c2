#include "crypto/keys.h"
#include "base/fault.h"

#include <gtest/gtest.h>
#include <fstream>
#include <thread>

#include "tests/vectors.h"

namespace wattseal::crypto {
namespace {

namespace fs = std::filesystem;

class KeyFiles : public ::testing::Test {
 protected:
  fs::path folder_ =
      fs::temp_directory_path() / ("wattseal-keys-" + std::to_string(::getpid()) + "-" +
                                   ::testing::UnitTest::GetInstance()->current_test_info()->name());
  std::unique_ptr<Random> random_ = seeded_random(7);
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path file() const { return folder_ / "keys"; }
  std::unique_ptr<KeyStore> open() {
    return open_file_key_store(file(), "correct horse", *random_).value();
  }
};

// What every store must do.
void keeps_the_contract(KeyStore& store) {
  const std::vector<std::string> labels{"root", "issuing"};
  const std::vector<KeyHandle> made = store.generate(labels).value();
  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(store.labels(), (std::vector<std::string>{"issuing", "root"}));
  EXPECT_NE(made[0]->public_point(), made[1]->public_point());
  EXPECT_EQ(store.find("root").value()->public_point(), made[0]->public_point());
  const Digest digest = sha256(as_bytes("message"));
  EXPECT_TRUE(verify(made[0]->public_point(), digest, made[0]->sign(digest)));
  EXPECT_FALSE(verify(made[1]->public_point(), digest, made[0]->sign(digest)));
  std::vector<Digest> digests;
  for (int i = 0; i < 11; ++i) digests.push_back(sha256(as_bytes(std::to_string(i))));
  const std::vector<Signature> many = made[0]->sign_many(digests);
  ASSERT_EQ(many.size(), digests.size());
  for (std::size_t i = 0; i < many.size(); ++i)
    EXPECT_TRUE(verify(made[0]->public_point(), digests[i], many[i])) << i;
  EXPECT_TRUE(made[0]->sign_many({}).empty());
  EXPECT_EQ(made[0]->agree(made[1]->public_point()), made[1]->agree(made[0]->public_point()));
  EXPECT_EQ(store.find("nobody").refusal().rule, "key-not-found"_rule);
  const std::vector<std::string> taken{"fresh", "root"}, twice{"x", "x"}, slash{"a/b"}, empty{""};
  EXPECT_EQ(store.generate(taken).refusal().rule, "key-label-taken"_rule);
  EXPECT_EQ(store.generate(twice).refusal().rule, "key-label-taken"_rule);
  EXPECT_EQ(store.generate(slash).refusal().rule, "key-label-malformed"_rule);
  EXPECT_EQ(store.generate(empty).refusal().rule, "key-label-malformed"_rule);
  EXPECT_EQ(store.labels().size(), 2u) << "a refused request made a key";
  EXPECT_EQ(find_or_generate(store, "root").value()->public_point(), made[0]->public_point());
  EXPECT_TRUE(find_or_generate(store, "new").ok());
  EXPECT_EQ(store.labels().size(), 3u);
}

// A key whose signatures belong to another key, as a token with a fault might return them.
class WrongKey final : public PrivateKey {
 public:
  WrongKey(KeyHandle shown, KeyHandle used) : shown_(std::move(shown)), used_(std::move(used)) {}
  const PublicPoint& public_point() const override { return shown_->public_point(); }
  SharedSecret agree(const PublicPoint& peer) const override { return shown_->agree(peer); }

 private:
  Signature sign_unverified(const Digest& digest) const override { return used_->sign(digest); }
  KeyHandle shown_, used_;
};

TEST(PrivateKey, LetsNoSignatureOutThatDoesNotVerify) {
  const std::unique_ptr<KeyStore> store = memory_key_store();
  const WrongKey key(generate_one(*store, "a").value(), generate_one(*store, "b").value());
  const std::vector<Digest> digests(9, sha256(as_bytes("message")));
  EXPECT_THROW(key.sign(digests[0]), Fault);
  EXPECT_THROW(key.sign_many(digests), Fault);
}

TEST(MemoryKeyStore, KeepsTheContract) { keeps_the_contract(*memory_key_store()); }

TEST_F(KeyFiles, KeepTheContract) { keeps_the_contract(*open()); }

TEST_F(KeyFiles, GiveTheSameKeysWhenOpenedAgain) {
  const PublicPoint point = generate_one(*open(), "root").value()->public_point();
  EXPECT_EQ(open()->find("root").value()->public_point(), point);
  EXPECT_EQ(fs::status(file()).permissions() & fs::perms::all,
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(KeyFiles, RefuseAnotherPassphrase) {
  generate_one(*open(), "root").value();
  EXPECT_EQ(open_file_key_store(file(), "wrong horse", *random_).refusal().rule,
            "key-store-passphrase"_rule);
}

TEST_F(KeyFiles, AreOpenInOneProcessOnly) {
  const std::unique_ptr<KeyStore> first = open();
  EXPECT_EQ(open_file_key_store(file(), "correct horse", *random_).refusal().rule,
            "key-store-in-use"_rule);
}

TEST_F(KeyFiles, DropATornLastRecordAndGoOn) {
  generate_one(*open(), "kept").value();
  const std::uintmax_t whole = fs::file_size(file());
  generate_one(*open(), "torn").value();
  for (std::uintmax_t size = fs::file_size(file()) - 1; size >= whole; size -= 13) {
    fs::resize_file(file(), size);
    EXPECT_EQ(open()->labels(), std::vector<std::string>{"kept"}) << size;
  }
  generate_one(*open(), "next").value();
  EXPECT_EQ(open()->labels(), (std::vector<std::string>{"kept", "next"}));
}

TEST_F(KeyFiles, RefuseEveryChangedOctet) {
  generate_one(*open(), "root").value();
  const std::string good = test::read_text(file());
  constexpr std::size_t kLabelLengthAt =
      55;  // a longer label makes the record look torn: its key is gone, never another
  for (std::size_t at = 11; at < good.size(); at += 3) {
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 0x40);
    std::ofstream(file(), std::ios::binary) << changed;
    const Result<std::unique_ptr<KeyStore>> opened =
        open_file_key_store(file(), "correct horse", *random_);
    EXPECT_EQ(opened.ok(), at == kLabelLengthAt) << at;
  }
}

TEST_F(KeyFiles, RefuseWhatIsNoKeyFile) {
  std::ofstream(file()) << std::string(200, 'x');
  EXPECT_EQ(open_file_key_store(file(), "p", *random_).refusal().rule, "key-store-damaged"_rule);
}

TEST_F(KeyFiles, DoNotShowTheScalar) {
  const std::unique_ptr<KeyStore> store = open();
  generate_one(*store, "root").value();
  const std::string content = test::read_text(file());
  EXPECT_EQ(content.size(), 55u + 1 + 4 + 12 + 32 + 16);
}

class SoftHsm : public KeyFiles {};

TEST_F(SoftHsm, KeepsTheContractAndItsKeysOutliveTheStore) {
  const Result<Pkcs11Options> token = create_softhsm_token(folder_, "wattseal", "123456");
  if (!token.ok() && token.refusal().rule == "pkcs11-module-missing"_rule)
    GTEST_SKIP() << token.refusal().detail;
  ASSERT_TRUE(token.ok()) << token.refusal().detail;
  EXPECT_EQ(create_softhsm_token(folder_, "wattseal", "123456").value().token_label, "wattseal")
      << "the token is found again";
  Pkcs11Options wrong = *token;
  wrong.pin = "654321";
  EXPECT_EQ(open_pkcs11_key_store(wrong).refusal().rule, "pkcs11-pin-refused"_rule);
  wrong = *token;
  wrong.token_label = "another";
  EXPECT_EQ(open_pkcs11_key_store(wrong).refusal().rule, "pkcs11-token-missing"_rule);
  wrong.module = folder_ / "no.so";
  EXPECT_EQ(open_pkcs11_key_store(wrong).refusal().rule, "pkcs11-module-missing"_rule);
  PublicPoint point{};
  {
    const std::unique_ptr<KeyStore> store = open_pkcs11_key_store(*token).value();
    keeps_the_contract(*store);
    point = store->find("root").value()->public_point();
  }
  const std::unique_ptr<KeyStore> again = open_pkcs11_key_store(*token).value();
  const KeyHandle root = again->find("root").value();
  EXPECT_EQ(root->public_point(), point);
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        const Digest digest = sha256(as_bytes("m" + std::to_string(i)));
        good += verify(point, digest, root->sign(digest)) ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 120) << "sessions are shared safely";
}

TEST_F(SoftHsm, KeysComeBackWithTheirToken) {
  const Result<Pkcs11Options> token = create_softhsm_token(folder_, "wattseal", "123456");
  if (!token.ok() && token.refusal().rule == "pkcs11-module-missing"_rule)
    GTEST_SKIP() << token.refusal().detail;
  ASSERT_TRUE(token.ok()) << token.refusal().detail;
  const std::unique_ptr<KeyStore> store = open_pkcs11_key_store(*token).value();
  const std::unique_ptr<KeyStore> neighbour = open_pkcs11_key_store(*token).value();
  const KeyHandle root = generate_one(*store, "root").value();
  const Digest digest = sha256(as_bytes("message"));
  const auto signs = [&] { return verify(root->public_point(), digest, root->sign(digest)); };
  ASSERT_TRUE(signs());
  for (int removal = 0; removal < 2; ++removal) {
    fs::rename(folder_ / "tokens", folder_ / "away");
    fs::create_directories(folder_ / "tokens");
    EXPECT_THROW(root->sign(digest), Fault);
    EXPECT_THROW(root->sign(digest), Fault) << "still away";
    EXPECT_THROW(generate_one(*store, "lost" + std::to_string(removal)).ok(), Fault);
    fs::remove(folder_ / "tokens");
    fs::rename(folder_ / "away", folder_ / "tokens");
    EXPECT_TRUE(signs());
    EXPECT_TRUE(generate_one(*store, "new" + std::to_string(removal)).ok());
    EXPECT_TRUE(generate_one(*neighbour, "next" + std::to_string(removal)).ok())
        << "another store on the same module recovers, too";
  }
  EXPECT_EQ(store->labels(), (std::vector<std::string>{"new0", "new1", "root"}));
  // Many threads at the moment of the return: one of them opens the token, all of them sign.
  fs::rename(folder_ / "tokens", folder_ / "away");
  fs::create_directories(folder_ / "tokens");
  EXPECT_THROW(root->sign(digest), Fault);
  fs::remove(folder_ / "tokens");
  fs::rename(folder_ / "away", folder_ / "tokens");
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 6; ++t) threads.emplace_back([&] { good += signs() ? 1 : 0; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 6);
}

TEST(ReferenceKeys, ReadScalarAndPem) {
  WATTSEAL_NEEDS_VECTORS(folder);
  int read = 0;
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(folder / "rtds" / "keystore")) {
    const std::string text = entry.is_regular_file() ? test::read_text(entry.path()) : "";
    if (text.find("PRIVATE KEY-----") == std::string::npos) continue;
    EXPECT_TRUE(key_from_test_pem(text).ok()) << entry.path();
    ++read;
  }
  EXPECT_GT(read, 0);
  EXPECT_EQ(key_from_test_pem("no pem").refusal().rule, "key-malformed"_rule);
  EXPECT_EQ(key_from_test_scalar(Bytes(32)).refusal().rule, "key-malformed"_rule);
  EXPECT_EQ(key_from_test_scalar(Bytes(32, 0xFF)).refusal().rule, "key-malformed"_rule);
}

}  // namespace
}  // namespace wattseal::crypto
