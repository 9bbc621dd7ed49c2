#include "smki/documents.h"

#include <gtest/gtest.h>

#include "smki/document_service.h"
#include "smki/replay.h"
#include "smki/test_rig.h"
#include "terms/tables.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;
using test::Rig;

constexpr Eui64 kDcc = Eui64::from_number(0x9057530000000000),
                kCode = Eui64::from_number(0x9057530000060000);

struct Library : Rig {
  Documents documents{world, *store};

  Library() {
    for (const Party& party :
         {Party{kDcc, "DCC", "dcc", {}, {}}, Party{kCode, "SECAS", "code-administrator", {}, {}}})
      CHECK(authority.register_party(party, world.new_trace()).ok());
  }
  static Lodging rapp(std::string label, std::string_view content,
                      std::string_view from = "2026-05-01T10:00:00Z") {
    return {"rapp",
            "",
            "Registration Authority Policies and Procedures",
            std::move(label),
            "text/plain",
            UtcTime::parse_iso(from),
            to_bytes(as_bytes(content))};
  }
  Result<DocumentVersion> lodge(const Lodging& lodging, Eui64 party = kDcc, PersonId person = 0) {
    return documents.lodge(lodging, {party, person, "127.0.0.1"}, world.new_trace());
  }
  Result<DocumentVersion> withdraw(std::uint64_t version, Eui64 party = kDcc) {
    return documents.withdraw("rapp", version, "Annex B is missing", {party}, world.new_trace());
  }
  std::string state(std::uint64_t version) {
    return std::string(text(documents.find("rapp", version)->state));
  }
  std::string rule_of(const Lodging& lodging, Eui64 party = kDcc) {
    const std::uint64_t facts = store->journal_head().next;
    const Result<DocumentVersion> lodged = lodge(lodging, party);
    if (lodged.ok()) return "lodged";
    EXPECT_EQ(store->journal_head().next, facts) << "a refusal changes nothing";
    EXPECT_FALSE(lodged.refusal().field.empty());
    return std::string(lodged.refusal().rule.text()) + " " + lodged.refusal().field;
  }
};

TEST(Documents, TakeEffectOnTheirDateAndSupersedeEachOther) {
  Library library;
  ASSERT_EQ(library.lodge(Library::rapp("1.0", "first"))->version, 1u);
  ASSERT_EQ(library.lodge(Library::rapp("1.1", "second", "2026-06-01T00:00:00Z"))->version, 2u);
  EXPECT_EQ(library.state(1) + " " + library.state(2), "in-force pending");
  EXPECT_EQ(library.documents.find("rapp", std::nullopt)->version, 1u);
  library.clock.set(*UtcTime::parse_iso("2026-06-01T00:00:00Z"));
  EXPECT_EQ(library.state(1) + " " + library.state(2), "superseded in-force");
  EXPECT_EQ(as_text(library.documents.content(*library.documents.find("rapp", 1))), "first");
  EXPECT_EQ(as_text(library.documents.content(*library.documents.find("rapp", std::nullopt))),
            "second");
}

TEST(Documents, WithdrawnVersionsStayReadableAndWhatTheySupersededStaysSuperseded) {
  Library library;
  ASSERT_TRUE(library.lodge(Library::rapp("1.0", "first")).ok());
  ASSERT_TRUE(library.lodge(Library::rapp("1.1", "second")).ok());
  ASSERT_TRUE(library.lodge(Library::rapp("1.2", "third", "2026-07-01T00:00:00Z")).ok());
  ASSERT_TRUE(library.withdraw(3).ok()) << "before its date: it never supersedes";
  EXPECT_EQ(library.state(2), "in-force");
  library.clock.set(*UtcTime::parse_iso("2026-07-02T00:00:00Z"));
  EXPECT_EQ(library.state(2), "in-force");
  const DocumentVersion withdrawn = library.withdraw(2).value();
  EXPECT_EQ(withdrawn.reason, "Annex B is missing");
  EXPECT_EQ(library.state(1) + " " + library.state(2), "superseded withdrawn");
  EXPECT_EQ(library.documents.find("rapp", std::nullopt).refusal().rule, "document-unknown"_rule);
  EXPECT_EQ(as_text(library.documents.content(withdrawn)), "second");
  EXPECT_EQ(library.withdraw(2).refusal().rule, "document-withdrawn"_rule);
  EXPECT_EQ(library.withdraw(9).refusal().rule, "document-unknown"_rule);
  EXPECT_EQ(library.withdraw(1, kCode).refusal().rule, "document-lodger"_rule);
}

// Source: ¶66. The rights are rows.
TEST(Documents, AreLodgedByWhomTheRowsName) {
  Library library;
  const auto lodging = [](std::string kind, std::string name) {
    return Lodging{std::move(kind),     std::move(name), "Title", "1.0", "text/plain", {},
                   {'t', 'e', 'x', 't'}};
  };
  for (const DocumentKindRow& row : document_kinds()) {
    const std::string name = row.one() ? "" : "a-" + std::string(row.id);
    for (const auto& [party, kind] :
         {std::pair{kDcc, "dcc"}, std::pair{kCode, "code-administrator"},
          std::pair{test::kSupplier, "supplier"}}) {
      const bool may = ("/" + std::string(row.lodgers) + "/").find("/" + std::string(kind) + "/") !=
                       std::string::npos;
      Lodging one = lodging(std::string(row.id), name);
      one.label = kind;
      EXPECT_EQ(library.rule_of(one, party), may ? "lodged" : "document-lodger kind")
          << row.id << " " << kind;
    }
  }
  EXPECT_EQ(library.rule_of(lodging("rapp", ""), Eui64::from_number(77)), "document-lodger kind");
}

TEST(Documents, PartiesUnderDualControlLodgeThroughTheirOfficers) {
  Library library;
  Party strict{kCode, "SECAS", "code-administrator", {}, {}};
  strict.dual_control = true;
  ASSERT_TRUE(library.authority.register_party(strict, library.world.new_trace()).ok());
  const std::vector<PersonId> people =
      library.office.found({"Ada", "Ben"}, library.world.new_trace()).value();
  Lodging lodging = Library::rapp("1.0", "text");
  lodging.kind = "pma-document";
  lodging.name = "decision-7";
  EXPECT_EQ(library.lodge(lodging, kCode).refusal().rule, "document-officer"_rule);
  EXPECT_EQ(library.lodge(lodging, kCode, people[0]).refusal().rule, "document-officer"_rule)
      << "one of the registration authority does not speak for the party";
}

TEST(Documents, RefuseWhatHasNotItsForm) {
  Library library;
  ASSERT_EQ(library.rule_of(Library::rapp("1.0", "text")), "lodged");
  const auto with = [&](auto change) {
    Lodging lodging = Library::rapp("1.1", "other");
    change(lodging);
    return library.rule_of(lodging);
  };
  EXPECT_EQ(with([](Lodging& l) { l.kind = "novel"; }), "document-kind kind");
  EXPECT_EQ(with([](Lodging& l) { l.name = "another"; }), "document-field name");
  EXPECT_EQ(with([](Lodging& l) { l.kind = "dcc-document"; }), "document-field name");
  EXPECT_EQ(with([](Lodging& l) { l.kind = "dcc-document", l.name = "../x"; }),
            "document-field name");
  EXPECT_EQ(with([](Lodging& l) { l.kind = "dcc-document", l.name = "compliance-policy"; }),
            "document-field name");
  EXPECT_EQ(with([](Lodging& l) { l.title = ""; }), "document-field title");
  EXPECT_EQ(with([](Lodging& l) { l.title = "a\nb"; }), "document-field title");
  EXPECT_EQ(with([](Lodging& l) { l.label = "1/2"; }), "document-field label");
  EXPECT_EQ(with([](Lodging& l) { l.label = ".."; }), "document-field label");
  EXPECT_EQ(with([](Lodging& l) { l.media_type = "text"; }), "document-field Content-Type");
  EXPECT_EQ(with([](Lodging& l) { l.media_type = "text/a\r\nb"; }), "document-field Content-Type");
  EXPECT_EQ(with([](Lodging& l) { l.content.clear(); }), "document-too-large content");
  EXPECT_EQ(with([](Lodging& l) { l.content.resize(limit("document_octets_max") + 1); }),
            "document-too-large content");
  EXPECT_EQ(with([](Lodging& l) { l.label = "1.0"; }), "document-immutable label");
  EXPECT_EQ(with([](Lodging& l) { l.effective_from = UtcTime(); }),
            "document-order effective_from");
  EXPECT_EQ(with([](Lodging& l) { l.content.resize(limit("document_octets_max")); }), "lodged");
}

TEST(Documents, TheSameLodgingAgainIsTheSameVersion) {
  Library library;
  ASSERT_TRUE(library.lodge(Library::rapp("1.0", "text")).ok());
  const std::uint64_t facts = library.store->journal_head().next;
  library.clock.advance(3600);
  EXPECT_EQ(library.lodge(Library::rapp("1.0", "text"))->version, 1u);
  EXPECT_EQ(library.store->journal_head().next, facts);
  ASSERT_TRUE(library.lodge(Library::rapp("1.1", "text")).ok()) << "the same content again";
  EXPECT_EQ(library.lodge(Library::rapp("1.0", "text")).refusal().rule, "document-immutable"_rule)
      << "it is not the newest any more";
}

TEST(Documents, FollowFromTheirFacts) {
  Library library;
  ASSERT_TRUE(library.lodge(Library::rapp("1.0", "first")).ok());
  ASSERT_TRUE(library.lodge(Library::rapp("1.1", "second")).ok());
  ASSERT_TRUE(library.withdraw(1).ok());
  const std::unique_ptr<storage::Store> into = storage::memory_store();
  storage::Changes rows(*into);
  Replay replay;
  library.store->journal(1, [&](const storage::JournalEntry& entry) {
    const FactView fact = FactView::read(entry.fact).value();
    if (fact.kind() == FactKind::document_lodged || fact.kind() == FactKind::document_withdrawn)
      replay.see(rows, fact);
    return true;
  });
  storage::Batch batch;
  rows.take(batch);
  ASSERT_TRUE(into->commit(std::move(batch)).ok());
  for (const storage::Table& table : {tables::documents, tables::document_contents}) {
    std::size_t count = 0;
    library.store->scan(table, {}, {}, [&](BytesView key, BytesView value) {
      const std::optional<Bytes> there = into->get(table, key);
      EXPECT_TRUE(there && equal(*there, value)) << table.name();
      ++count;
      return true;
    });
    EXPECT_EQ(count, 2u) << table.name();
  }
}

struct Web : Library {
  DocumentService service{documents, office};
  http::Router router;
  Web() { add_document_routes(router, service); }
  http::Response send(const std::string& method, const std::string& path,
                      std::vector<http::Header> query = {}, std::string body = {},
                      Eui64 party = kDcc) {
    http::Request request;
    request.method = method;
    request.path = "/api/v1/documents" + path;
    request.query = std::move(query);
    request.headers = {{"X-Subscriber", party.text()}, {"Content-Type", "text/plain"}};
    request.body = std::move(body);
    return router(request);
  }
};

TEST(DocumentService, LodgesListsShowsGivesAndWithdraws) {
  Web web;
  const std::vector<http::Header> particulars = {
      {"kind", "rapp"}, {"title", "RAPP"}, {"label", "1.0"}, {"effective_from", "2026-04-01"}};
  const http::Response lodged = web.send("POST", "", particulars, "text");
  ASSERT_EQ(lodged.status, 201) << lodged.body;
  EXPECT_EQ(json::parse(lodged.body)["sha256"], to_hex(crypto::sha256(as_bytes("text"))));
  const json list = json::parse(web.send("GET", "").body);
  ASSERT_EQ(list["documents"].size(), 1u);
  EXPECT_EQ(list["documents"][0]["state"], "in-force");
  EXPECT_EQ(list["kinds"].size(), document_kinds().size());
  EXPECT_EQ(json::parse(web.send("GET", "", {{"kind", "compliance-policy"}}).body)["documents"],
            json::array());
  EXPECT_EQ(json::parse(web.send("GET", "/rapp").body)["versions"].size(), 1u);
  EXPECT_EQ(json::parse(web.send("GET", "/rapp/1").body)["label"], "1.0");
  const http::Response content = web.send("GET", "/rapp/in-force/content");
  EXPECT_EQ(content.body, "text");
  EXPECT_EQ(content.content_type, "text/plain");
  const http::Response withdrawn =
      web.send("POST", "/rapp/1/withdraw", {}, R"({"reason": "wrong file"})");
  EXPECT_EQ(json::parse(withdrawn.body)["state"], "withdrawn");
  EXPECT_EQ(web.send("GET", "/rapp/in-force/content").status, 404);
  EXPECT_EQ(web.send("GET", "/rapp/1/content").body, "text");
}

TEST(DocumentService, RefusesByRuleFieldAndFix) {
  Web web;
  const auto rule = [](const http::Response& response) {
    const json body = json::parse(response.body);
    EXPECT_FALSE(body["fix"].get<std::string>().empty());
    return std::to_string(response.status) + " " + body["rule"].get<std::string>() + " " +
           body["field"].get<std::string>();
  };
  std::vector<http::Header> all = {{"kind", "rapp"}, {"title", "RAPP"}, {"label", "1.0"}};
  EXPECT_EQ(rule(web.send("POST", "", all, "text", kCode)), "403 document-lodger kind");
  all.push_back({"sha256", "00"});
  EXPECT_EQ(rule(web.send("POST", "", all, "text")), "400 document-digest query/sha256");
  all.back() = {"effective_from", "tomorrow"};
  EXPECT_EQ(rule(web.send("POST", "", all, "text")), "400 document-field query/effective_from");
  all.back() = {"colour", "red"};
  EXPECT_EQ(rule(web.send("POST", "", all, "text")), "400 document-field query/colour");
  EXPECT_EQ(rule(web.send("GET", "", {{"all", "yes"}})), "400 document-field query/all");
  EXPECT_EQ(rule(web.send("GET", "", {{"kind", "novel"}})), "400 document-kind query/kind");
  EXPECT_EQ(rule(web.send("GET", "/rapp")), "404 document-unknown name");
  EXPECT_EQ(rule(web.send("GET", "/rapp/x")), "404 document-unknown path");
  EXPECT_EQ(rule(web.send("GET", "/rapp/1/source")), "404 document-unknown path");
  EXPECT_EQ(rule(web.send("POST", "/rapp/1/withdraw", {}, "{}")), "400 ra-service-json reason");
  EXPECT_EQ(rule(web.send("POST", "/rapp/one", {}, "{}")), "404 document-unknown path");
  http::Request nobody;
  nobody.method = "POST";
  nobody.path = "/api/v1/documents";
  EXPECT_EQ(rule(web.router(nobody)), "401 ra-subscriber-missing X-Subscriber");
}

}  // namespace
}  // namespace wattseal::smki
