#include "xml/dsig.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "base/parallel.h"
#include "tests/vectors.h"

namespace wattseal::xml {
namespace {

constexpr const char* kSamples = "rtds/xmldsig-samples";
constexpr const char* kKeys = "rtds/duis-xsd-and-xmldsig-keys";

// The SubjectPublicKeyInfo of a P-256 key is these octets and the point. Source: RFC 5480 2.
const Bytes kSpkiPrefix = *from_hex("3059301306072a8648ce3d020106082a8648ce3d030107034200");

crypto::PublicPoint point_of_certificate(const std::filesystem::path& pem) {
  const std::string text = test::read_text(pem);
  const std::size_t begin = text.find("-----BEGIN CERTIFICATE-----") + 27;
  const Bytes der =
      from_base64(std::string_view(text).substr(begin, text.find("-----END") - begin)).value();
  const auto prefix = std::ranges::search(der, kSpkiPrefix);
  CHECK(!prefix.empty() && der.end() - prefix.end() >= 65);
  crypto::PublicPoint point{};
  std::copy_n(prefix.end(), 65, point.begin());
  return point;
}

const crypto::KeyHandle& test_key() {
  static const std::unique_ptr<crypto::KeyStore> store = crypto::memory_key_store();
  static const crypto::KeyHandle key = crypto::generate_one(*store, "signer").value();
  return key;
}

const IssuerSerial kSigner{
    "CN=Z1, OU=07",
    CertificateSerial::parse_decimal("50669612984035780968362471400449834504").value()};

std::string claim_rule(std::string_view text) {
  const Result<Document> document = parse(text);
  if (!document) return std::string(document.refusal().rule.text());
  const Result<IssuerSerial> signer = claimed_signer(*document);
  return signer ? "claimed" : std::string(signer.refusal().rule.text());
}

std::string verify_rule(std::string_view text, const crypto::PublicPoint& key) {
  const Result<Document> document = parse(text);
  if (!document) return std::string(document.refusal().rule.text());
  const Status status = verify_signature(*document, key);
  return status ? "verified" : std::string(status.refusal().rule.text());
}
std::string verify_rule(std::string_view text) {
  return verify_rule(text, test_key()->public_point());
}

std::string sign_rule(std::string_view text) {
  const Result<std::string> signed_text = sign(text, kSigner, *test_key());
  return signed_text ? "signed" : std::string(signed_text.refusal().rule.text());
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  CHECK(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

const std::string kRequest =
    "<?xml version=\"1.0\"?>\n<!-- top --><sr:Request xmlns:sr=\"urn:sr\" xmlns:xsi='urn:xsi' "
    "a=\"&#10;\" schemaVersion='5.1'>\n"
    "  <sr:Header><sr:RequestID>90-B3:1000</sr:RequestID></sr:Header>\r\n"
    "  <sr:Body><!-- secret --><sr:Read n=\"1\"/><x "
    "xmlns=\"urn:x\">&lt;&#13;\xC2\xA3<![CDATA[<&>]]></x></sr:Body>\n</sr:Request>\n";

const std::string& signed_request() {
  static const std::string text = sign(kRequest, kSigner, *test_key()).value();
  return text;
}

TEST(Dsig, VerifiesWhatAnotherImplementationSigned) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const crypto::PublicPoint key =
      point_of_certificate(folder / kKeys / "dsp-xml-sign-90B3D51F30000002-ds-pre-1.4.1.pem");
  const std::string text = test::read_text(folder / kSamples / "readfw-response.xml");
  const Result<Document> document = parse(text);
  ASSERT_TRUE(document);
  const Result<IssuerSerial> signer = claimed_signer(*document);
  ASSERT_TRUE(signer) << signer.refusal().detail;
  EXPECT_EQ(signer->issuer_name, "CN=Z1,OU=07");
  EXPECT_EQ(signer->serial.hex(), "261E9CCC40A78FD13D83BCE07DACFE08");
  const Status status = verify_signature(*document, key);
  EXPECT_TRUE(status) << status.refusal().detail;
}

TEST(Dsig, VerifiesTheSamplesOfTheLaterKey) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const crypto::PublicPoint key =
      point_of_certificate(folder / kKeys / "dsp-xml-sign-90B3D51F30000002-ds.pem");
  for (const char* name :
       {"readfw-response-resigned", "read-inventory-response-4g", "read-inventory-response-5.4"}) {
    EXPECT_EQ(verify_rule(test::read_text(folder / kSamples / (std::string(name) + ".xml")), key),
              "verified")
        << name;
  }
}

TEST(Dsig, RefusesTheSpoiltSamplesOfAnotherImplementation) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const crypto::PublicPoint old_key =
      point_of_certificate(folder / kKeys / "dsp-xml-sign-90B3D51F30000002-ds-pre-1.4.1.pem");
  const crypto::PublicPoint new_key =
      point_of_certificate(folder / kKeys / "dsp-xml-sign-90B3D51F30000002-ds.pem");
  const auto sample = [&](const std::string& name) {
    return test::read_text(folder / kSamples / (name + ".xml"));
  };
  EXPECT_EQ(verify_rule(sample("readfw-response-badsignature"), old_key), "dsig-signature");
  EXPECT_EQ(verify_rule(sample("readfw-response"), new_key), "dsig-signature");
  EXPECT_EQ(verify_rule(sample("readfw-response-resigned"), old_key), "dsig-signature");
  EXPECT_EQ(claim_rule(sample("readfw-response-no-signature")), "dsig-missing");
  EXPECT_EQ(claim_rule(sample("readfw-response-no-serial")), "dsig-key-info");
  EXPECT_EQ(claim_rule(sample("duis-xxe")), "xml-doctype");
  const Result<Document> nobody = parse(sample("readfw-response-nonexist-serial"));
  ASSERT_TRUE(nobody);
  EXPECT_EQ(claimed_signer(*nobody)->serial.decimal(), "217636141832862931915946451229571981153");
}

TEST(Dsig, ReadsThePlaceholderOfATemplateButDoesNotVerifyIt) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const std::string text =
      test::read_text(folder / kSamples / "ECS17b_4.1.1_SINGLE_SUCCESS_REQUEST_DUIS-signed.XML");
  const Result<Document> document = parse(text);
  ASSERT_TRUE(document);
  const Result<IssuerSerial> signer = claimed_signer(*document);
  ASSERT_TRUE(signer) << signer.refusal().detail;
  EXPECT_EQ(signer->issuer_name, "CN=U1, OU=07");
  EXPECT_EQ(verify_rule(text), "dsig-digest");
  EXPECT_EQ(verify_rule(sign(text, kSigner, *test_key()).value()), "verified");
}

TEST(Dsig, SignsEveryReferenceRequestSoThatItVerifies) {
  WATTSEAL_NEEDS_VECTORS(folder);
  int documents = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "rtds")) {
    const std::string extension = entry.path().extension();
    if (extension != ".xml" && extension != ".XML") continue;
    const Result<std::string> text = sign(test::read_text(entry.path()), kSigner, *test_key());
    if (!text && text.refusal().rule.text() == "xml-doctype") continue;
    ASSERT_TRUE(text) << entry.path() << text.refusal().detail;
    EXPECT_EQ(verify_rule(*text), "verified") << entry.path();
    ++documents;
  }
  EXPECT_GT(documents, 300);
}

TEST(Dsig, VerifiesWhatItSigned) {
  EXPECT_EQ(verify_rule(signed_request()), "verified");
  const Result<Document> document = parse(signed_request());
  ASSERT_TRUE(document);
  const Result<IssuerSerial> signer = claimed_signer(*document);
  ASSERT_TRUE(signer);
  EXPECT_EQ(*signer, kSigner);
  EXPECT_EQ(document->root().children.back().name, "Signature");
}

TEST(Dsig, SignsDirectlyBeforeTheLastEndTag) {
  const std::string text = sign("<r a='1'> <b/> </r>", kSigner, *test_key()).value();
  const std::string start =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?><r a=\"1\"> <b></b> <ds:Signature xmlns:ds=";
  EXPECT_EQ(text.substr(0, start.size()), start);
  EXPECT_TRUE(text.ends_with("</ds:Signature></r>"));
  EXPECT_EQ(verify_rule(text), "verified");
  EXPECT_EQ(verify_rule(sign("<r/>", kSigner, *test_key()).value()), "verified");
}

TEST(Dsig, SignsManyTogetherAsItSignsEach) {
  const std::vector<Prefix> prefixes{{"z", "urn:z"}, {"", "urn:default"}, {"a", "urn:a"}};
  const std::string odd = "a<b>&\"c'\r\n\té";
  std::vector<Element> documents{
      {"urn:a", "root", {}, {}, {}},
      {"urn:default", "root", {{"z", odd}, {"a", "1"}}, odd, {}},
      {"urn:z",
       "root",
       {},
       {},
       {{"urn:other", "inner", {}, {}, {{"urn:z", "leaf", {}, odd, {}}}}}}};
  const std::vector<std::string> together = sign_many(documents, prefixes, kSigner, *test_key());
  ASSERT_EQ(together.size(), documents.size());
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const std::string each = sign(write(documents[i], prefixes), kSigner, *test_key()).value();
    // All but SignatureValue, which is drawn by chance.
    const std::size_t value = each.find("<ds:SignatureValue>");
    EXPECT_EQ(together[i].substr(0, value), each.substr(0, value));
    EXPECT_EQ(verify_rule(together[i]), "verified");
    EXPECT_EQ(parse(together[i])->root().text, parse(write(documents[i], prefixes))->root().text);
  }
  EXPECT_TRUE(sign_many({}, prefixes, kSigner, *test_key()).empty());
}

TEST(Dsig, ChangesNothingOfWhatItSigns) {
  const Result<Document> before = parse(kRequest), after = parse(signed_request());
  ASSERT_TRUE(before && after);
  Element root = after->root();
  root.children.pop_back();
  EXPECT_EQ(root, before->root());
}

TEST(Dsig, ReplacesAnEarlierSignature) {
  const std::string once = signed_request();
  const IssuerSerial other{"CN=<other>", CertificateSerial::parse_decimal("7").value()};
  const std::string twice = sign(once, other, *test_key()).value();
  EXPECT_EQ(verify_rule(twice), "verified");
  const Result<Document> document = parse(twice);
  ASSERT_TRUE(document);
  EXPECT_EQ(document->root().all("Signature").size(), 1u);
  EXPECT_EQ(claimed_signer(*document).value(), other);
}

TEST(Dsig, DoesNotSignWhatCouldNotVerify) {
  EXPECT_EQ(sign_rule("<r>"), "xml-malformed");
  EXPECT_EQ(sign_rule("<!DOCTYPE r><r/>"), "xml-doctype");
  EXPECT_EQ(sign_rule("<r/><?after it?>"), "dsig-profile");
  EXPECT_EQ(sign_rule("<r/><?after it?><!-- c -->"), "dsig-profile");
  EXPECT_EQ(sign_rule("<?before?><!-- c --><r/><!-- </r> -->"), "signed");
  EXPECT_EQ(sign_rule("<r xmlns:x='relative'/>"), "dsig-profile");
  const std::string ns = " xmlns='" + std::string(kDsigNamespace) + "'";
  EXPECT_EQ(sign_rule("<r><Signature" + ns + "/><b/></r>"), "dsig-profile");
  EXPECT_EQ(sign_rule("<r><Signature" + ns + "/><Signature" + ns + "/></r>"), "dsig-profile");
  EXPECT_EQ(sign_rule("<Signature" + ns + "/>"), "dsig-profile");
  EXPECT_EQ(
      verify_rule(
          sign("<?before </r>?><r><?in </r>?></r><!-- </r> -->", kSigner, *test_key()).value()),
      "verified");
}

TEST(Dsig, SignsAFirmwareImage) {
  const std::string text =
      "<r><FirmwareImage>" + std::string(14'000'000, 'A') + "</FirmwareImage></r>";
  const Result<std::string> signed_text = sign(text, kSigner, *test_key());
  ASSERT_TRUE(signed_text) << signed_text.refusal().detail;
  EXPECT_EQ(verify_rule(*signed_text), "verified");
}

TEST(Dsig, RefusesTheWrongKey) {
  const std::unique_ptr<crypto::KeyStore> store = crypto::memory_key_store();
  const crypto::KeyHandle other = crypto::generate_one(*store, "other").value();
  EXPECT_EQ(verify_rule(signed_request(), other->public_point()), "dsig-signature");
}

// Letters and digits become another, so that the document stays well-formed and only the signature
// can notice.
TEST(Dsig, NoChangedCharacterVerifies) {
  const std::string& text = signed_request();
  const std::size_t begin = text.find("<sr:Request");
  const std::size_t end = text.find("<ds:KeyInfo>");  // KeyInfo only names the key to try
  int well_formed = 0;
  for (std::size_t at = begin; at < end; ++at) {
    std::string changed = text;
    changed[at] = text[at] == 'A' ? 'B' : 'A';
    const std::string rule = verify_rule(changed);
    EXPECT_NE(rule, "verified") << at << ": " << text.substr(at, 20);
    well_formed += rule != "xml-malformed";
  }
  EXPECT_GT(well_formed, 400);
}

TEST(Dsig, NoFlippedBitVerifiesUnlessTheMeaningIsTheSame) {
  const Result<Document> original = parse(signed_request());
  ASSERT_TRUE(original);
  const std::size_t end = signed_request().find("<ds:KeyInfo>");
  for (std::size_t bit = signed_request().find("<sr:Request") * 8; bit < end * 8; ++bit) {
    std::string changed = signed_request();
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    const Result<Document> document = parse(changed);
    if (!document || !verify_signature(*document, test_key()->public_point())) continue;
    EXPECT_EQ(document->root(), original->root()) << bit;  // such as another quotation mark
  }
}

TEST(Dsig, NoPrefixVerifies) {
  for (std::size_t octets = 0; octets < signed_request().size(); ++octets) {
    EXPECT_EQ(claim_rule(signed_request().substr(0, octets)), "xml-malformed");
  }
}

TEST(Dsig, AcceptsWhatCanonicalisationMakesEqual) {
  const std::string& text = signed_request();
  EXPECT_EQ(verify_rule(replaced(text, "<sr:Body>", "<sr:Body ><!-- any --><!-- thing -->")),
            "verified");
  EXPECT_EQ(verify_rule(replaced(text, "schemaVersion=\"5.1\"", "schemaVersion = '&#53;.1'")),
            "verified");
  EXPECT_EQ(verify_rule(replaced(text, "<sr:Read n=\"1\"></sr:Read>", "<sr:Read n='1'/>")),
            "verified");
  EXPECT_EQ(verify_rule(replaced(text, "<ds:KeyInfo>", "<!-- between elements -->\n <ds:KeyInfo>")),
            "verified");
  EXPECT_EQ(verify_rule(replaced(text, "<ds:SignatureValue>", "<ds:SignatureValue>\n&#13; ")),
            "verified");
}

TEST(Dsig, RefusesChangedWhiteSpaceAndNamespaces) {
  const std::string& text = signed_request();
  EXPECT_EQ(verify_rule(replaced(text, "<sr:Body>", "<sr:Body> ")), "dsig-digest");
  EXPECT_EQ(verify_rule(replaced(text, "<ds:Signature ", "\n<ds:Signature ")), "dsig-digest");
  EXPECT_EQ(verify_rule(replaced(text, "</ds:Signature>", "</ds:Signature>\n")), "dsig-digest");
  EXPECT_EQ(verify_rule(replaced(text, "xmlns:sr=\"urn:sr\"", "xmlns:sr=\"urn:other\"")),
            "dsig-digest");
  EXPECT_EQ(verify_rule(replaced(text, "xmlns:xsi=\"urn:xsi\"", "")), "dsig-digest");
  EXPECT_EQ(verify_rule(replaced(text, "<sr:Body>", "<sr:Body xmlns:sr=\"urn:other\">")),
            "dsig-digest");
  EXPECT_EQ(verify_rule(replaced(text, "<sr:Body>", "<sr:Body><?instruction?>")), "dsig-digest");
  EXPECT_EQ(verify_rule(replaced(text, "<ds:SignedInfo>", "<ds:SignedInfo> ")), "dsig-signature");
}

std::string signature_of(const std::string& text) {
  const std::size_t begin = text.find("<ds:Signature ");
  return text.substr(begin, text.find("</ds:Signature>") + 15 - begin);
}

TEST(Dsig, RefusesWrappedSignatures) {
  const std::string& text = signed_request();
  const std::string signature = signature_of(text);
  const std::string inner = text.substr(text.find("<sr:Request"));
  const std::string evil = "<sr:Request xmlns:sr=\"urn:sr\"><sr:Body>evil</sr:Body>";
  // The signed document inside another root, with its signature in place, moved up, or both.
  EXPECT_EQ(verify_rule(evil + inner + "</sr:Request>"), "dsig-profile");
  EXPECT_EQ(verify_rule(evil + replaced(inner, signature, "") + signature + "</sr:Request>"),
            "dsig-digest");
  EXPECT_EQ(verify_rule(evil + inner + signature + "</sr:Request>"), "dsig-profile");
  // A second body, before and after; a signature that is not last, twice, hidden in a child or in
  // itself, or the root.
  EXPECT_EQ(verify_rule(replaced(text, "<sr:Body>", "<sr:Body>evil</sr:Body><sr:Body>")),
            "dsig-digest");
  EXPECT_EQ(
      verify_rule(replaced(text, "</ds:Signature>", "</ds:Signature><sr:Body>evil</sr:Body>")),
      "dsig-profile");
  EXPECT_EQ(verify_rule(replaced(text, "</ds:Signature>", "</ds:Signature>evil")), "dsig-profile");
  EXPECT_EQ(verify_rule(replaced(text, "</ds:Signature>", "</ds:Signature><?evil?>")),
            "dsig-profile");
  EXPECT_EQ(verify_rule(replaced(text, signature, signature + signature)), "dsig-profile");
  EXPECT_EQ(verify_rule(replaced(text, "<sr:Body>", "<sr:Body>" + signature)), "dsig-profile");
  EXPECT_EQ(
      verify_rule(replaced(text, "</ds:KeyInfo>", "</ds:KeyInfo><ds:Object>evil</ds:Object>")),
      "dsig-profile");
  EXPECT_EQ(verify_rule(replaced(text, "</ds:KeyInfo>", "</ds:KeyInfo>" + signature)),
            "dsig-profile");
  EXPECT_EQ(verify_rule(signature), "dsig-profile");
}

struct Change {
  const char *from, *to, *rule;
};

TEST(Dsig, RefusesEveryOtherForm) {
  const Change changes[] = {
      {"<ds:Signature ", "<ds:Signature Id=\"s\" ", "dsig-profile"},
      {"<ds:SignedInfo>", "<ds:SignedInfo Id=\"i\">", "dsig-profile"},
      {"<ds:SignedInfo>", "<ds:SignedInfo>evil", "dsig-profile"},
      {"<ds:SignedInfo>", "<ds:SignedInfo><?p?>", "dsig-profile"},
      {"<ds:SignatureValue>", "<ds:SignatureValue Id=\"v\">", "dsig-profile"},
      {"URI=\"\"", "URI=\"#body\"", "dsig-profile"},
      {"URI=\"\"", "URI=\"http://127.0.0.1/x\"", "dsig-profile"},
      {" URI=\"\"", "", "dsig-profile"},
      {"URI=\"\"", "URI=\"\" Type=\"urn:t\"", "dsig-profile"},
      {"URI=\"\"", "ds:URI=\"\"", "dsig-profile"},
      {"xml-exc-c14n#\"", "xml-exc-c14n#WithComments\"", "dsig-profile"},
      {"</ds:CanonicalizationMethod>", "<x/></ds:CanonicalizationMethod>", "dsig-profile"},
      {"ecdsa-sha256", "ecdsa-sha1", "dsig-profile"},
      {"more#ecdsa-sha256", "more#hmac-sha256", "dsig-profile"},
      {"xmlenc#sha256", "xmlenc#sha512", "dsig-profile"},
      {"enveloped-signature", "base64", "dsig-profile"},
      {"</ds:Transform>",
       "</ds:Transform><ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>",
       "dsig-profile"},
      {"</ds:Transform>", "<ds:XPath>1</ds:XPath></ds:Transform>", "dsig-profile"},
      {"</ds:Reference>", "</ds:Reference><ds:Reference URI=\"\"/>", "dsig-profile"},
      {"<ds:DigestValue>", "<ds:DigestValue><!-- c -->", "dsig-profile"},
      {"<ds:DigestValue>", "<ds:DigestValue><x/>", "dsig-profile"},
      {"<ds:DigestValue>", "<ds:DigestValue><?p?>", "dsig-profile"},
      {"</ds:SignatureValue>", "<!-- c -->AAAA</ds:SignatureValue>", "dsig-profile"},
      {"<ds:KeyInfo>", "<ds:KeyInfo Id=\"k\">", "dsig-key-info"},
      {"<ds:KeyInfo>", "<ds:KeyInfo><ds:KeyName>k</ds:KeyName>", "dsig-key-info"},
      {"</ds:X509IssuerSerial>", "</ds:X509IssuerSerial><ds:X509SKI>AA==</ds:X509SKI>",
       "dsig-key-info"},
      {"</ds:X509Data>", "</ds:X509Data><ds:X509Data/>", "dsig-key-info"},
      {"<ds:X509IssuerName>", "<ds:X509IssuerName><!-- c -->", "dsig-key-info"},
      {"CN=Z1, OU=07", "  ", "dsig-key-info"},
      {"<ds:X509SerialNumber>", "<ds:X509SerialNumber>9<!-- c -->", "dsig-key-info"},
      {"<ds:X509SerialNumber>", "<ds:X509SerialNumber>-", "dsig-key-info"},
      {"<ds:X509SerialNumber>", "<ds:X509SerialNumber>0x", "dsig-key-info"},
      {"<ds:X509SerialNumber>", "<ds:X509SerialNumber>99", "dsig-key-info"},
  };
  for (const Change& change : changes) {
    EXPECT_EQ(claim_rule(replaced(signed_request(), change.from, change.to)), change.rule)
        << change.from << " -> " << change.to;
  }
}

TEST(Dsig, TakesElementsByNamespaceNotByPrefix) {
  const std::string& text = signed_request();
  const std::string other_ns =
      replaced(text, "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">",
               "<ds:Signature xmlns:ds=\"urn:evil\">");
  EXPECT_EQ(claim_rule(other_ns), "dsig-missing");
  EXPECT_EQ(claim_rule(replaced(text, "<ds:SignedInfo>", "<ds:SignedInfo xmlns:ds=\"urn:evil\">")),
            "dsig-profile");
}

TEST(Dsig, RefusesASignatureThatLacksAnElement) {
  const std::string& text = signed_request();
  for (const char* name : {"CanonicalizationMethod", "SignatureMethod", "Transforms",
                           "DigestMethod", "DigestValue", "SignatureValue", "KeyInfo", "X509Data",
                           "X509IssuerName", "X509SerialNumber", "SignedInfo"}) {
    const std::size_t begin = text.find("<ds:" + std::string(name));
    const std::string end_tag = "</ds:" + std::string(name) + ">";
    const std::string without =
        text.substr(0, begin) + text.substr(text.find(end_tag) + end_tag.size());
    const std::string_view kind(name);
    const bool key_info = kind.starts_with("X509") || kind == "KeyInfo";
    EXPECT_NE(verify_rule(without), "verified") << name;
    EXPECT_EQ(claim_rule(without), key_info ? "dsig-key-info" : "dsig-profile") << name;
  }
}

TEST(Dsig, RefusesTheRightElementsNestedWrongly) {
  const std::string& text = signed_request();
  const std::string end = "</ds:CanonicalizationMethod>";
  const std::string deeper =
      replaced(replaced(text, end, ""), "</ds:SignatureMethod>", "</ds:SignatureMethod>" + end);
  EXPECT_EQ(claim_rule(deeper), "dsig-profile");
  const std::string value = text.substr(text.find("<ds:DigestValue>"));
  const std::string digest = value.substr(0, value.find("</ds:Reference>"));
  EXPECT_EQ(claim_rule(replaced(text, digest + "</ds:Reference>", "</ds:Reference>" + digest)),
            "dsig-profile");
}

TEST(Dsig, RefusesValuesOfTheWrongLength) {
  const std::string& text = signed_request();
  EXPECT_EQ(verify_rule(replaced(text, "</ds:SignatureValue>", "AAAA</ds:SignatureValue>")),
            "dsig-signature");
  EXPECT_EQ(verify_rule(replaced(text, "<ds:SignatureValue>", "<ds:SignatureValue>!")),
            "dsig-signature");
  EXPECT_EQ(verify_rule(replaced(text, "<ds:DigestValue>", "<ds:DigestValue>AAAA")), "dsig-digest");
  const std::string endless = "<ds:X509IssuerName>" + std::string(2000, 'x');
  EXPECT_EQ(claim_rule(replaced(text, "<ds:X509IssuerName>", endless)), "dsig-key-info");
}

TEST(Dsig, WorksInManyThreadsAtOnce) {
  Workers workers(4);
  std::atomic<int> verified = 0;
  workers.parallel_for(200, 1, [&](std::size_t, std::size_t) {
    EXPECT_EQ(claim_rule("<r><"), "xml-malformed");
    verified += verify_rule(sign(kRequest, kSigner, *test_key()).value()) == "verified";
  });
  EXPECT_EQ(verified, 200);
}

class Xmlsec1 : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v xmlsec1 >/dev/null 2>&1") != 0)
      GTEST_SKIP() << "xmlsec1 is not installed";
    folder_ = std::filesystem::temp_directory_path() /
              ("wattseal-dsig-test-" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  std::string put(const std::string& name, std::string_view text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  static bool runs(const std::string& arguments) {
    return std::system(("xmlsec1 " + arguments + " >/dev/null 2>&1").c_str()) == 0;
  }

  std::filesystem::path folder_;
};

// The key goes to it as a SubjectPublicKeyInfo in PEM.
TEST_F(Xmlsec1, VerifiesWhatWeSigned) {
  Bytes spki = kSpkiPrefix;
  append(spki, test_key()->public_point());
  const std::string key = put(
      "key.pem", "-----BEGIN PUBLIC KEY-----\n" + to_base64(spki) + "\n-----END PUBLIC KEY-----\n");
  const auto accepts = [&](std::string_view text) {
    return runs("--verify --pubkey-pem " + key + " " + put("document.xml", text));
  };
  EXPECT_TRUE(accepts(signed_request()));
  EXPECT_TRUE(accepts(sign(signed_request(), kSigner, *test_key()).value()));
  EXPECT_TRUE(accepts(sign("<?before p?><r><?in p?></r>", kSigner, *test_key()).value()));
  EXPECT_FALSE(accepts(replaced(signed_request(), "90-B3:1000", "90-B3:1001")));
}

TEST_F(Xmlsec1, SignsWhatWeVerify) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const std::filesystem::path stem = folder / kKeys / "dsp-xml-sign-90B3D51F30000002-ds";
  const std::string document =
      (folder / kSamples / "ECS17b_4.1.1_SINGLE_SUCCESS_REQUEST_DUIS-signed.XML").string();
  const std::string output = (folder_ / "signed.xml").string();
  ASSERT_TRUE(runs("--sign --privkey-pem " + stem.string() + ".key.pem --output " + output + " " +
                   document));
  EXPECT_EQ(verify_rule(test::read_text(output), point_of_certificate(stem.string() + ".pem")),
            "verified");
}

}  // namespace
}  // namespace wattseal::xml
