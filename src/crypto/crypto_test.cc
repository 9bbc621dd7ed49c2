#include "crypto/openssl.h"

#include "crypto/crypto.h"

#include <gtest/gtest.h>
#include <fstream>
#include <nlohmann/json.hpp>

#include "crypto/keys.h"
#include "tests/vectors.h"

namespace wattseal::crypto {
namespace {

using nlohmann::json;

json wycheproof(const std::filesystem::path& folder, const std::string& name) {
  return json::parse(test::read_text(folder / "wycheproof" / (name + "_test.json")));
}
Bytes hex_of(const json& value) { return from_hex(value.get<std::string>()).value(); }
template <std::size_t N>
std::array<Octet, N> array_of(BytesView octets) {
  std::array<Octet, N> out{};
  std::ranges::copy(octets, out.begin());
  return out;
}

TEST(EcdsaVectors, EveryRawSignatureIsJudgedAsTheVectorsSay) {
  WATTSEAL_NEEDS_VECTORS(folder);
  int judged = 0;
  const json vectors = wycheproof(folder, "ecdsa_secp256r1_sha256_p1363");
  for (const json& group : vectors["testGroups"]) {
    const PublicPoint key = parse_point(hex_of(group["publicKey"]["uncompressed"])).value();
    for (const json& one : group["tests"]) {
      const Bytes octets = hex_of(one["sig"]);
      const bool valid =
          octets.size() == 64 && verify(key, sha256(hex_of(one["msg"])), array_of<64>(octets));
      EXPECT_EQ(valid, one["result"] == "valid") << one["tcId"] << " " << one["comment"];
      ++judged;
    }
  }
  EXPECT_EQ(judged, vectors["numberOfTests"].get<int>());
}

// The lanes of verify_many with neighbours of every kind.
TEST(EcdsaVectors, VerifyingManyAtOnceSaysTheSameOfEachVector) {
  WATTSEAL_NEEDS_VECTORS(folder);
  std::vector<Claim> claims;
  std::vector<char> expected;
  const json vectors = wycheproof(folder, "ecdsa_secp256r1_sha256_p1363");
  for (const json& group : vectors["testGroups"]) {
    const PublicPoint key = parse_point(hex_of(group["publicKey"]["uncompressed"])).value();
    for (const json& one : group["tests"]) {
      const Bytes octets = hex_of(one["sig"]);
      if (octets.size() != 64) continue;
      claims.push_back({key, sha256(hex_of(one["msg"])), array_of<64>(octets)});
      expected.push_back(one["result"] == "valid");
    }
  }
  ASSERT_GT(claims.size(), 150u);
  EXPECT_EQ(verify_many(claims), expected);
  std::ranges::reverse(claims);
  std::ranges::reverse(expected);
  EXPECT_EQ(verify_many(claims), expected);
}

TEST(VerifyMany, AgreesWithVerifyOnGoodAndChangedSignaturesOfEveryCount) {
  std::vector<Claim> claims;
  std::vector<char> expected;
  const std::unique_ptr<KeyStore> keys = memory_key_store();
  for (unsigned i = 0; i < 200; ++i) {
    const KeyHandle key = generate_one(*keys, "k" + std::to_string(i)).value();
    const Digest digest = sha256(as_bytes("digest " + std::to_string(i)));
    Claim claim{key->public_point(), digest, key->sign(digest)};
    const unsigned bit = i * 37 % 256;
    if (i % 4 == 1) claim.signature[bit / 4] ^= static_cast<Octet>(1u << bit % 8);
    if (i % 4 == 2) claim.digest[bit / 8] ^= static_cast<Octet>(1u << bit % 8);
    if (i % 4 == 3) claim.key[1 + bit / 4] ^= static_cast<Octet>(1u << bit % 8);
    claims.push_back(claim);
    expected.push_back(verify(claim.key, claim.digest, claim.signature));
    EXPECT_EQ(expected.back(), i % 4 == 0) << i;
    EXPECT_EQ(verify_many(claims), expected) << i;
    if (claims.size() > 20) {
      claims.erase(claims.begin());
      expected.erase(expected.begin());
    }
  }
}

// Sums of equal and of opposite points, which the usual formulas do not know: with s = r = e, u1
// and u2 are 1 and R is the key plus the generator.
TEST(VerifyMany, KnowsEqualAndOppositePoints) {
  const auto scalar = [](Octet last) {
    Bytes octets(32, 0);
    octets.back() = last;
    return octets;
  };
  const PublicPoint generator = key_from_test_scalar(scalar(1)).value()->public_point();
  const PublicPoint twice = key_from_test_scalar(scalar(2)).value()->public_point();
  const PublicPoint opposite =
      key_from_test_scalar(
          from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550").value())
          .value()
          ->public_point();
  Claim claim{generator, {}, {}};
  std::copy_n(twice.begin() + 1, 32, claim.digest.begin());
  std::copy_n(twice.begin() + 1, 32, claim.signature.begin());
  std::copy_n(twice.begin() + 1, 32, claim.signature.begin() + 32);
  Claim infinite = claim;
  infinite.key = opposite;
  ASSERT_TRUE(verify(claim.key, claim.digest, claim.signature));
  ASSERT_FALSE(verify(infinite.key, infinite.digest, infinite.signature));
  const std::vector<Claim> claims{claim, infinite, claim, claim, infinite, infinite, claim, claim};
  EXPECT_EQ(verify_many(claims), (std::vector<char>{1, 0, 1, 1, 0, 0, 1, 1}));
}

TEST(VerifyMany, RefusesPointsOffTheCurveAndOtherEncodings) {
  const std::unique_ptr<KeyStore> keys = memory_key_store();
  const KeyHandle key = generate_one(*keys, "k").value();
  const Digest digest = sha256(as_bytes("d"));
  const Claim good{key->public_point(), digest, key->sign(digest)};
  Claim compressed = good, large = good;
  compressed.key[0] = 0x02;
  std::ranges::fill(large.key.begin() + 1, large.key.end(), Octet{0xFF});
  EXPECT_EQ(verify_many(std::vector<Claim>{good, compressed, large, good}),
            (std::vector<char>{1, 0, 0, 1}));
}

TEST(EcdsaVectors, EveryDerSignatureIsJudgedAsTheVectorsSay) {
  WATTSEAL_NEEDS_VECTORS(folder);
  int judged = 0;
  const json vectors = wycheproof(folder, "ecdsa_secp256r1_sha256");
  for (const json& group : vectors["testGroups"]) {
    const PublicPoint key = parse_point(hex_of(group["publicKey"]["uncompressed"])).value();
    for (const json& one : group["tests"]) {
      const Result<Signature> signature = signature_from_der(hex_of(one["sig"]));
      const bool valid = signature.ok() && verify(key, sha256(hex_of(one["msg"])), *signature);
      EXPECT_EQ(valid, one["result"] == "valid") << one["tcId"] << " " << one["comment"];
      if (signature.ok()) {
        EXPECT_EQ(signature_to_der(*signature), hex_of(one["sig"])) << one["tcId"];
      }
      ++judged;
    }
  }
  EXPECT_EQ(judged, vectors["numberOfTests"].get<int>());
}

TEST(EcdhVectors, AgreementGivesTheVectorsSecretAndRefusesPointsOffTheCurve) {
  WATTSEAL_NEEDS_VECTORS(folder);
  int agreed = 0, refused = 0;
  const json vectors = wycheproof(folder, "ecdh_secp256r1_ecpoint");
  for (const json& group : vectors["testGroups"]) {
    for (const json& one : group["tests"]) {
      const Bytes scalar = hex_of(one["private"]);
      Bytes padded(32);
      const BytesView significant =
          BytesView(scalar).last(std::min<std::size_t>(scalar.size(), 32));
      std::ranges::copy(significant,
                        padded.end() - static_cast<std::ptrdiff_t>(significant.size()));
      const Result<PublicPoint> peer = parse_point(hex_of(one["public"]));
      if (!peer.ok()) {
        EXPECT_NE(one["result"], "valid") << one["tcId"] << " " << one["comment"];
        ++refused;
        continue;
      }
      const KeyHandle key = key_from_test_scalar(padded).value();
      EXPECT_EQ(to_hex(key->agree(*peer)), to_hex(hex_of(one["shared"]))) << one["tcId"];
      ++agreed;
    }
  }
  EXPECT_GT(agreed, 100);
  EXPECT_GT(refused, 3);
}

TEST(GcmVectors, NinetySixBitNoncesWithAes128AreJudgedAsTheVectorsSay) {
  WATTSEAL_NEEDS_VECTORS(folder);
  int judged = 0;
  const json vectors = wycheproof(folder, "aes_gcm");
  for (const json& group : vectors["testGroups"]) {
    if (group["keySize"] != 128 || group["ivSize"] != 96 || group["tagSize"] != 128) continue;
    for (const json& one : group["tests"]) {
      const Key128 key = array_of<16>(hex_of(one["key"]));
      const Iv iv = array_of<12>(hex_of(one["iv"]));
      const Bytes aad = hex_of(one["aad"]), plain = hex_of(one["msg"]);
      Bytes sealed = hex_of(one["ct"]);
      append(sealed, hex_of(one["tag"]));
      const Result<Bytes> opened = gcm_open(key, iv, aad, sealed, 16);
      EXPECT_EQ(opened.ok(), one["result"] == "valid") << one["tcId"] << " " << one["comment"];
      if (opened.ok()) {
        EXPECT_EQ(*opened, plain) << one["tcId"];
        EXPECT_EQ(gcm_seal(key, iv, aad, plain, 16), sealed) << one["tcId"];
        if (plain.empty()) {
          EXPECT_EQ(to_bytes(gmac(key, iv, aad)), hex_of(one["tag"])) << one["tcId"];
        }
      }
      ++judged;
    }
  }
  EXPECT_GT(judged, 50);
}

TEST(KeyWrapVectors, Aes128IsJudgedAsTheVectorsSay) {
  WATTSEAL_NEEDS_VECTORS(folder);
  int judged = 0;
  const json vectors = wycheproof(folder, "aes_wrap");
  for (const json& group : vectors["testGroups"]) {
    if (group["keySize"] != 128) continue;
    for (const json& one : group["tests"]) {
      const Key128 key = array_of<16>(hex_of(one["key"]));
      const Result<Bytes> plain = key_unwrap(key, hex_of(one["ct"]));
      EXPECT_EQ(plain.ok(),
                one["result"] == "valid" || (one["result"] == "acceptable" && plain.ok()))
          << one["tcId"] << " " << one["comment"];
      if (plain.ok()) {
        EXPECT_EQ(*plain, hex_of(one["msg"]));
        EXPECT_EQ(key_wrap(key, *plain), hex_of(one["ct"]));
      }
      ++judged;
    }
  }
  EXPECT_GT(judged, 30);
}

TEST(Hashes, AreThoseOfTheStandards) {
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256({as_bytes("a"), as_bytes(""), as_bytes("bc")}), sha256(as_bytes("abc")));
  EXPECT_EQ(to_hex(sha1(as_bytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Gcm, ATwelveOctetTagGuardsEveryOctet) {
  const Key128 key{1, 2, 3};
  const Iv iv{4, 5, 6};
  const Bytes sealed = gcm_seal(key, iv, as_bytes("context"), as_bytes("consumption"), 12);
  ASSERT_EQ(sealed.size(), 11u + 12u);
  EXPECT_EQ(as_text(gcm_open(key, iv, as_bytes("context"), sealed, 12).value()), "consumption");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes changed = sealed;
    changed[i] ^= 1;
    const Result<Bytes> opened = gcm_open(key, iv, as_bytes("context"), changed, 12);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.refusal().rule, "gcm-tag-mismatch"_rule);
  }
  EXPECT_FALSE(gcm_open(key, iv, as_bytes("Context"), sealed, 12).ok());
  EXPECT_FALSE(gcm_open(key, iv, as_bytes("context"), BytesView(sealed).first(11), 12).ok());
}

TEST(Points, OnlyUncompressedPointsOnTheCurveAreKeys) {
  const std::unique_ptr<KeyStore> store = memory_key_store();
  const PublicPoint good = generate_one(*store, "a").value()->public_point();
  EXPECT_TRUE(parse_point(good).ok());
  PublicPoint off = good;
  off[64] ^= 1;
  EXPECT_EQ(parse_point(off).refusal().rule, "key-not-on-curve"_rule);
  EXPECT_EQ(parse_point(BytesView(good).first(64)).refusal().rule, "key-malformed"_rule);
  const Bytes infinity{0};
  EXPECT_EQ(parse_point(infinity).refusal().rule, "key-malformed"_rule);
}

// Every point that OpenSSL makes is one, and OpenSSL's verdict on changed ones is ours.
TEST(Points, OurVerdictOnAPointIsThatOfOpenssl) {
  const std::unique_ptr<EC_KEY, decltype(&EC_KEY_free)> judge(
      EC_KEY_new_by_curve_name(NID_X9_62_prime256v1), EC_KEY_free);
  const auto openssl_takes = [&](const PublicPoint& point) {
    return EC_KEY_oct2key(judge.get(), point.data(), point.size(), nullptr) == 1;
  };
  const std::unique_ptr<KeyStore> store = memory_key_store();
  for (int i = 0; i < 300; ++i) {
    const PublicPoint good = generate_one(*store, "k" + std::to_string(i)).value()->public_point();
    ASSERT_TRUE(parse_point(good).ok());
    for (const std::size_t at : {1u, 8u, 9u, 20u, 32u, 33u, 50u, 64u}) {
      PublicPoint changed = good;
      changed[at] = static_cast<Octet>(changed[at] + 1 + i);
      ASSERT_EQ(parse_point(changed).ok(), openssl_takes(changed));
    }
  }
  // A coordinate is below p.
  const Bytes p =
      from_hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff").value();
  for (const bool first : {true, false}) {
    PublicPoint edge = generate_one(*store, first ? "x" : "y").value()->public_point();
    std::ranges::copy(p, edge.begin() + (first ? 1 : 33));
    EXPECT_FALSE(openssl_takes(edge));
    EXPECT_FALSE(parse_point(edge).ok());
  }
  const auto of_zero = [&](bool odd) {  // x = 0 has two points
    const std::unique_ptr<EC_POINT, decltype(&EC_POINT_free)> point(
        EC_POINT_new(EC_KEY_get0_group(judge.get())), EC_POINT_free);
    const std::unique_ptr<BIGNUM, decltype(&BN_free)> zero(BN_new(), BN_free);
    PublicPoint octets{};
    EXPECT_EQ(EC_POINT_set_compressed_coordinates(EC_KEY_get0_group(judge.get()), point.get(),
                                                  zero.get(), odd, nullptr),
              1);
    EXPECT_EQ(
        EC_POINT_point2oct(EC_KEY_get0_group(judge.get()), point.get(),
                           POINT_CONVERSION_UNCOMPRESSED, octets.data(), octets.size(), nullptr),
        octets.size());
    return octets;
  };
  for (const bool odd : {false, true}) {
    PublicPoint zero = of_zero(odd);
    EXPECT_TRUE(parse_point(zero).ok());
    std::ranges::copy(p, zero.begin() + 1);  // the same x modulo p, written as no coordinate may be
    EXPECT_FALSE(openssl_takes(zero));
    EXPECT_FALSE(parse_point(zero).ok());
  }
}

}  // namespace
}  // namespace wattseal::crypto
