// The signing service as its clients call it, with keys of our own making and, where they are, with
// the public ones.
#include "apps/signing_service.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "apps/official_schema.h"
#include "base/time.h"
#include "duis/compose.h"
#include "tests/vectors.h"
#include "xml/dsig.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

struct Answer {
  int status = 0;
  std::string rule, document;
};

class PublicKeys : public testing::Test {
 protected:
  void SetUp() override {
    WATTSEAL_NEEDS_VECTORS(vectors);
    rtds_ = vectors / "rtds";
    const std::string folder = (rtds_ / "duis-xsd-and-xmldsig-keys").string();
    Result<xml::Xsd> official = official_schema(folder);
    ASSERT_TRUE(official.ok());
    Result<std::unique_ptr<SigningService>> loaded =
        SigningService::load(world_, {folder}, {}, std::move(official).value());
    ASSERT_TRUE(loaded.ok());
    service_ = std::move(loaded).value();
  }

  Answer post(const std::string& path, const std::string& body, const char* method = "POST") {
    http::Request request;
    request.method = method;
    request.path = path;
    request.body = body;
    const http::Response response = service_->handle(request);
    Answer answer{response.status, "", ""};
    const json read = json::parse(response.body, nullptr, false);
    if (!read.is_object()) return answer;
    answer.rule = read.value("rule", "");
    EXPECT_EQ(read.contains("error"), response.status != 200);
    if (read.contains("message"))
      answer.document = as_text(*from_base64(read["message"].get<std::string>()));
    return answer;
  }
  Answer post_document(const std::string& path, const std::string& document,
                       bool preserve = false) {
    json body{{"message", to_base64(as_bytes(document))}};
    if (preserve) body["preserveCounter"] = true;
    return post(path, body.dump());
  }
  std::string sample(const std::string& name) {
    return test::read_text(rtds_ / "xmldsig-samples" / name);
  }
  static duis::ServiceRequest read(const std::string& document) {
    const Result<xml::Document> parsed = xml::parse(document);
    CHECK(parsed.ok());
    const Result<duis::ServiceRequest> request = duis::read_request(parsed->root());
    CHECK(request.ok());
    return *request;
  }

  FixedClock clock_{UtcTime::from_unix_seconds(1'700'000'000)};
  std::unique_ptr<Random> random_ = system_random();
  World world_{clock_, *random_};
  fs::path rtds_;
  std::unique_ptr<SigningService> service_;
};

TEST_F(PublicKeys, WhatIsSignedVerifies) {
  const std::string request = sample("ECS17b_4.1.1_SINGLE_SUCCESS_REQUEST_DUIS.XML");
  const Answer kept = post_document("/sign", request, true);
  ASSERT_EQ(kept.status, 200);
  EXPECT_EQ(read(kept.document).id, read(request).id);
  const Answer fresh = post_document("/sign", request), next = post_document("/sign", request);
  ASSERT_EQ(fresh.status, 200);
  EXPECT_EQ(read(fresh.document).id.counter.number(), 1'700'000'000'000u);
  EXPECT_EQ(read(next.document).id.counter.number(), 1'700'000'000'001u) << "used once each";
  for (const Answer& one : {kept, fresh}) {
    const Answer verified = post_document("/verify", one.document);
    EXPECT_EQ(verified.status, 200);
    EXPECT_EQ(verified.document.find("Signature"), std::string::npos);
    EXPECT_EQ(read(verified.document).body, read(request).body);
  }
  std::string spoilt = kept.document;
  spoilt.replace(spoilt.find(":1000<"), 6, ":1001<");
  EXPECT_EQ(post_document("/verify", spoilt).rule, "dsig-digest");
}

TEST_F(PublicKeys, SamplesHaveTheirVerdicts) {
  const auto verdict = [this](const char* name) {
    const Answer answer = post_document("/verify", sample(name));
    return std::to_string(answer.status) + " " + answer.rule;
  };
  EXPECT_EQ(verdict("readfw-response.xml"), "200 ");
  EXPECT_EQ(verdict("readfw-response-badsignature.xml"), "400 dsig-signature");
  EXPECT_EQ(verdict("readfw-response-no-serial.xml"), "400 dsig-key-info");
  EXPECT_EQ(verdict("readfw-response-nonexist-serial.xml"), "400 apps-unknown-signer");
  EXPECT_EQ(verdict("readfw-response-no-signature.xml"), "400 dsig-missing");
  EXPECT_EQ(verdict("readfw-response-invalid.xml"), "400 dsig-digest");
  EXPECT_EQ(verdict("duis-xxe.xml"), "400 xml-doctype");
  const auto sign = [this](const char* name) {
    const Answer answer = post_document("/sign", sample(name));
    return std::to_string(answer.status) + " " + answer.rule;
  };
  EXPECT_EQ(sign("ECS17b_4.1.1_SINGLE_SUCCESS_REQUEST_DUIS-invalid.XML"), "400 duis-request-id");
  EXPECT_EQ(sign("ECS17b_4.1.1_SINGLE_SUCCESS_REQUEST_DUIS-nonexist-businessid.XML"),
            "400 apps-key-pair");
  EXPECT_EQ(sign("duis-xxe.xml"), "400 xml-doctype");
}

TEST_F(PublicKeys, BadInputIsNamed) {
  EXPECT_EQ(post("/sign", "").rule, "apps-signing-input");
  EXPECT_EQ(post("/sign", "[]").rule, "apps-signing-input");
  EXPECT_EQ(post("/sign", "{}").rule, "apps-signing-input");
  EXPECT_EQ(post("/sign", R"({"message": 5})").rule, "apps-signing-input");
  EXPECT_EQ(post("/sign", R"({"message": "*"})").rule, "apps-signing-input");
  EXPECT_EQ(post("/sign", R"({"message": "PGEvPg==", "preserveCounter": 1})").rule,
            "apps-signing-input");
  EXPECT_EQ(post("/sign", R"({"message": "PGEvPg=="})").rule, "duis-namespace");
  EXPECT_EQ(post("/verify", R"({"message": "PGEvPg=="})").rule, "dsig-missing");
  EXPECT_EQ(post("/verify", R"({"message": "PGE="})").rule, "xml-malformed");
  EXPECT_EQ(post("/sign", "", "GET").status, 405);
  EXPECT_EQ(post("/verify", "", "PUT").status, 405);
  EXPECT_EQ(post("/other", "{}").status, 404);
}

TEST(SigningServiceKeys, AFolderWithoutPairsIsRefused) {
  const std::unique_ptr<Random> random = system_random();
  const FixedClock clock{UtcTime::from_unix_seconds(0)};
  const World world{clock, *random};
  const fs::path folder =
      fs::temp_directory_path() / ("wattseal-signing-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "a.pem") << "no certificate";
  std::ofstream(folder / "a.key") << "no key";
  EXPECT_EQ(SigningService::load(world, {folder.string()}, {}, std::nullopt).refusal().rule,
            "apps-key-pair"_rule);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace wattseal::apps
