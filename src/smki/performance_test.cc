#include "smki/performance.h"

#include <gtest/gtest.h>

#include "terms/facts.h"

namespace wattseal::smki {
namespace {

UtcTime at(std::string_view iso) { return UtcTime::parse_iso(iso).value(); }
std::int64_t ms(std::string_view iso) { return at(iso).unix_seconds() * 1000; }
const Month kMay = Month::parse("2026-05").value();
const UtcTime kLater = at("2026-07-01T00:00:00Z");

// A journal written by hand: what happened is what its facts say.
struct Journal {
  std::unique_ptr<storage::Store> store = storage::memory_store();
  std::uint64_t batches = 0;

  void write(const FactWriter& fact) {
    storage::Batch batch;
    batch.append(fact.bytes());
    CHECK(store->commit(std::move(batch)).ok());
  }
  std::uint64_t submitted(std::string_view received, std::size_t rows) {
    const UtcTime when = at(received);
    write(FactWriter(FactKind::batch_submitted, when, {})
              .number(FactField::batch, ++batches)
              .number(FactField::count, rows)
              .number(FactField::at_milliseconds, static_cast<std::uint64_t>(ms(received)))
              .time(FactField::due, Calendar({}).due(when, rows)));
    return batches;
  }
  void completed(std::uint64_t batch, std::int64_t milliseconds, std::uint64_t held = 0) {
    write(FactWriter(FactKind::batch_completed, UtcTime::from_unix_seconds(milliseconds / 1000), {})
              .number(FactField::batch, batch)
              .number(FactField::held, held)
              .number(FactField::at_milliseconds, static_cast<std::uint64_t>(milliseconds)));
  }
  void maintenance(std::uint64_t id, std::string_view announced, std::string_view from,
                   std::string_view until) {
    write(FactWriter(FactKind::maintenance_planned, at(announced), {})
              .number(FactField::maintenance, id)
              .time(FactField::effective_from, at(from))
              .time(FactField::effective_until, at(until)));
  }
  Performance measure(const Month& month = kMay, UtcTime now = kLater) const {
    return measure_performance(*store, month, now);
  }
};

TEST(Performance, ReportsNoActivityForAnEmptyMonth) {
  const Performance report = Journal().measure();
  EXPECT_EQ(report.all.received, 0u);
  EXPECT_EQ(report.all.level_basis_points(), std::nullopt);
  EXPECT_EQ(report.credit_basis_points, 0u);
  EXPECT_TRUE(report.tail.empty());
  EXPECT_FALSE(report.oldest);
  EXPECT_EQ(report.availability.level_basis_points(), 10'000u);
}

TEST(Performance, CountsAnAnswerAtTheTargetAsInTimeAndAMillisecondLaterAsLate) {
  Journal journal;
  journal.completed(journal.submitted("2026-05-04T10:00:00Z", 1), ms("2026-05-04T10:00:30Z"));
  journal.completed(journal.submitted("2026-05-04T10:00:00Z", 1), ms("2026-05-04T10:00:30Z") + 1);
  journal.completed(journal.submitted("2026-05-04T18:59:59Z", 10), ms("2026-05-05T07:00:00Z"));
  journal.completed(journal.submitted("2026-05-04T18:59:59Z", 20), ms("2026-05-05T07:00:00Z") + 1);
  journal.completed(journal.submitted("2026-05-04T19:00:00Z", 30), ms("2026-05-05T19:00:00Z"));
  journal.completed(journal.submitted("2026-05-04T19:00:00Z", 40), ms("2026-05-05T19:00:00Z") + 1);
  const Performance report = journal.measure();
  EXPECT_EQ(report.singles.in_time, 1u);
  EXPECT_EQ(report.singles.late, 1u);
  EXPECT_EQ(report.batched.in_time, 40u);
  EXPECT_EQ(report.batched.late, 60u);
  EXPECT_EQ(report.all.level_basis_points(), 41u * 10'000 / 102);
}

TEST(Performance, CountsByTheMonthOfReceiptOnUkClocks) {
  Journal journal;
  for (const char* received : {"2026-04-30T22:59:59Z", "2026-04-30T23:00:00Z",
                               "2026-05-31T22:59:59Z", "2026-05-31T23:00:00Z"})
    journal.completed(journal.submitted(received, 2), ms("2026-06-01T08:00:00Z"));
  EXPECT_EQ(journal.measure().all.received, 4u);
  EXPECT_EQ(journal.measure(Month::parse("2026-04").value()).all.received, 2u);
  EXPECT_EQ(journal.measure(Month::parse("2026-06").value()).all.received, 2u);
  EXPECT_EQ(Month::parse("2026-12")->ends(), at("2027-01-01T00:00:00Z"));
  EXPECT_EQ(Month::parse("2026-03")->begins(), at("2026-03-01T00:00:00Z"));
  EXPECT_EQ(Month::parse("2026-03")->ends(), at("2026-03-31T23:00:00Z"));
  for (const char* wrong : {"", "2026-13", "2026-00", "26-05", "2026-5", "2026-05-01", "+026-05"})
    EXPECT_EQ(Month::parse(wrong).refusal().rule, "performance-month"_rule) << wrong;
}

TEST(Performance, CountsWhatIsUnansweredAndDueAsLateAndNamesTheOldest) {
  Journal journal;
  journal.submitted("2026-05-04T10:00:00Z", 50);
  journal.submitted("2026-05-04T09:00:00Z", 7);
  const Performance early = journal.measure(kMay, at("2026-05-05T07:00:00Z"));
  EXPECT_EQ(early.all.unanswered, 57u);
  EXPECT_EQ(early.all.level_basis_points(), std::nullopt) << "nothing is due yet";
  ASSERT_TRUE(early.oldest);
  EXPECT_EQ(early.oldest->batch, 2u);
  EXPECT_EQ(early.oldest->age_milliseconds, 22 * 3600 * 1000);
  const Performance late = journal.measure(kMay, at("2026-05-05T07:00:01Z"));
  EXPECT_EQ(late.all.unanswered_late, 57u);
  EXPECT_EQ(late.all.level_basis_points(), 0u);
}

TEST(Performance, LeavesOutWhatWaitsForPeople) {
  Journal journal;
  journal.completed(journal.submitted("2026-05-04T10:00:00Z", 1), ms("2026-05-04T11:00:00Z"), 1);
  journal.completed(journal.submitted("2026-05-04T10:00:00Z", 1), ms("2026-05-04T10:00:01Z"));
  const Performance report = journal.measure();
  EXPECT_EQ(report.all.held, 1u);
  EXPECT_EQ(report.all.level_basis_points(), 10'000u);
}

// Source: spec/smki.md 5.1: requests in time of requests received, in the calendar month.
TEST(Performance, MeasuresWhatTheRepositoryDelivers) {
  Journal journal;
  const auto accessed = [&](std::string_view hour, const char* query, std::uint64_t answered,
                            std::uint64_t refused, bool late) {
    FactWriter fact(FactKind::repository_accessed, at(hour).plus_seconds(3700), {});
    if (late) fact.text(FactField::event, "late");
    fact.time(FactField::effective_from, at(hour))
        .text(FactField::interface, "json")
        .text(FactField::query, query)
        .number(FactField::count, answered)
        .number(FactField::refused, refused);
    journal.write(fact);
  };
  EXPECT_EQ(journal.measure().repository.level_basis_points(), std::nullopt) << "no activity";
  accessed("2026-04-30T23:00:00Z", "serial", 90, 6, false);
  accessed("2026-05-31T22:00:00Z", "search", 3, 1, true);
  accessed("2026-04-30T22:00:00Z", "serial", 1000, 0, true);  // April by UK clocks
  accessed("2026-05-31T23:00:00Z", "serial", 1000, 0, true);  // June
  accessed("2026-05-10T10:00:00Z", "lodge", 1000, 0, true);   // nothing that is delivered
  const Performance report = journal.measure();
  EXPECT_EQ(report.repository.received, 100u);
  EXPECT_EQ(report.repository.late, 4u);
  EXPECT_EQ(report.repository.level_basis_points(), 9600u);
  EXPECT_EQ(report.all.level_basis_points(), std::nullopt) << "measure 7 is another";
}

TEST(Performance, DrawsTheAgeCurveOfTheFinalHundredth) {
  Journal journal;
  for (int i = 0; i < 1000; ++i)
    journal.completed(journal.submitted("2026-05-04T10:00:00Z", 1),
                      ms("2026-05-04T10:00:00Z") + i + 1);
  const std::vector<AgePoint> tail = journal.measure().tail;
  ASSERT_EQ(tail.size(), 12u);
  EXPECT_EQ(tail.front().milliseconds, 990);
  EXPECT_EQ(tail[9].milliseconds, 999);
  EXPECT_EQ(tail.back().milliseconds, 1000);
}

TEST(Performance, OwesCreditBelowTheTargetOnly) {
  EXPECT_EQ(credit_basis_points("cpm7", 9900), 0u);
  EXPECT_EQ(credit_basis_points("cpm7", 9899), 200u);
  EXPECT_EQ(credit_basis_points("cpm7", 9600), 200u);
  EXPECT_EQ(credit_basis_points("cpm7", 9599), 500u);
  EXPECT_EQ(credit_basis_points("cpm7", 0), 1000u);
  EXPECT_EQ(credit_basis_points("cpm7", std::nullopt), 0u);
  EXPECT_EQ(credit_basis_points("other", 0), 0u);
  Journal journal;
  journal.completed(journal.submitted("2026-05-04T10:00:00Z", 98), ms("2026-05-04T11:00:00Z"));
  journal.completed(journal.submitted("2026-05-04T10:00:00Z", 2), ms("2026-05-06T11:00:00Z"));
  EXPECT_EQ(journal.measure().credit_basis_points, 200u);
}

TEST(Performance, MeasuresAvailabilityInTheServiceWindow) {
  Journal journal;
  // With notice, half of it in the window; without notice, an hour of it in the window.
  journal.maintenance(1, "2026-04-01T12:00:00Z", "2026-05-10T18:00:00Z", "2026-05-10T20:00:00Z");
  journal.maintenance(2, "2026-05-11T12:00:00Z", "2026-05-12T18:00:00Z", "2026-05-12T23:00:00Z");
  journal.maintenance(3, "2026-05-11T12:00:00Z", "2026-05-14T10:00:00Z", "2026-05-14T12:00:00Z");
  journal.write(FactWriter(FactKind::maintenance_cancelled, at("2026-05-13T10:00:00Z"), {})
                    .number(FactField::maintenance, 3));
  const Availability all = journal.measure().availability;
  EXPECT_EQ(all.window_seconds, 31 * 12 * 3600);
  EXPECT_EQ(all.maintenance_seconds, 3600);
  EXPECT_EQ(all.short_notice_seconds, 3600);
  const std::uint64_t promised = 31 * 12 * 3600 - 3600;
  EXPECT_EQ(all.level_basis_points(), (promised - 3600) * 10'000 / promised);
}

}  // namespace
}  // namespace wattseal::smki
