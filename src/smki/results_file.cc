#include "smki/results_file.h"

#include "base/fault.h"
#include "smki/batch_file.h"
#include "smki/service_json.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

constexpr std::uint32_t kStep = 1000;

std::string json_line(const RowResult& row) {
  json line{{"row", row.row}, {"state", text(row.state)}};
  if (row.serial) line["serial"] = row.serial->hex();
  if (row.state == RowState::held) line["act"] = row.act;
  if (row.state == RowState::refused) {
    line["rule"] = row.rule;
    line["found"] = row.detail;
    const RuleRow* const rule = find_rule(row.rule);
    line["fix"] = rule ? rule->fix : "";
  }
  // A detail may quote what the subscriber sent, in whatever encoding.
  return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

// Quoted always; what a spreadsheet would take for a formula is text.
std::string csv_field(std::string_view value) {
  std::string out = "\"";
  if (!value.empty() && std::string_view("=+-@\t\r").find(value.front()) != std::string_view::npos)
    out += '\'';
  for (const char c : value) {
    if (c == '"') out += '"';
    out += c == '\n' || c == '\r' ? ' ' : c;
  }
  return out + '"';
}
std::string csv_line(const RowResult& row) {
  return std::to_string(row.row) + "," + std::string(text(row.state)) + "," +
         (row.serial ? row.serial->hex() : "") + "," + row.rule + "," +
         (row.detail.empty() ? "" : csv_field(row.detail)) + "\n";
}

std::string pem_of(const Repository& repository, const RowResult& row) {
  const Result<PublishedCertificate> found = repository.by_serial(row.serial.value());
  if (!found.ok()) throw Fault("a published certificate is not in the repository");
  return x509::to_pem("CERTIFICATE", found->der);
}

std::string member_name(const RowResult& row) {
  std::string number = std::to_string(row.row);
  number.insert(0, 5 - std::min<std::size_t>(number.size(), 5), '0');
  return "row-" + number + "-" + row.serial->hex() + ".pem";
}

const char* content_type(ResultsForm form) {
  constexpr const char* kTypes[] = {"application/jsonl", "text/csv; charset=utf-8",
                                    "application/x-pem-file", "application/zip"};
  return kTypes[static_cast<std::size_t>(form)];
}

// "bytes=first-last", "bytes=first-", "bytes=-count", as [first, end) of `size` octets. Nothing: no
// range that we understand; first == end: none of it is there.
struct Span {
  std::uint64_t first = 0, end = 0;
};
std::optional<Span> read_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return {};
  header.remove_prefix(kUnit.size());
  const std::size_t dash = header.find('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view from = header.substr(0, dash), to = header.substr(dash + 1);
  const std::optional<std::uint64_t> first = read_number(from), last = read_number(to);
  if ((!first && !from.empty()) || (!last && !to.empty()) || (from.empty() && to.empty()))
    return {};
  if (from.empty()) return Span{size - std::min(size, *last), size};
  if (last && *last < *first) return {};
  if (*first >= size) return Span{};
  return Span{*first, last && *last < size ? *last + 1 : size};
}

}  // namespace

Result<ResultsForm> results_form(std::string_view name) {
  constexpr std::string_view kNames[] = {"jsonl", "csv", "pem", "zip"};
  const auto* const found = std::ranges::find(kNames, name);
  if (found != std::end(kNames)) return static_cast<ResultsForm>(found - std::begin(kNames));
  return Refusal{"results-form"_rule, "'" + std::string(name.substr(0, 20)) + "'", "query/format"};
}

std::string results_file(const RegistrationAuthority& authority, const Repository& repository,
                         const BatchStatus& status, const ResultsWanted& wanted) {
  std::string out;
  std::vector<ZipMember> members;
  if (wanted.form == ResultsForm::csv) out = "row,state,serial,rule,found\n";
  const std::uint64_t end =
      std::min<std::uint64_t>(status.rows, std::uint64_t{wanted.from} + wanted.rows_max);
  for (std::uint64_t from = wanted.from; from < end; from += kStep) {
    const std::uint64_t count = std::min<std::uint64_t>(kStep, end - from);
    for (const RowResult& row : authority.results(status.id, static_cast<std::uint32_t>(from),
                                                  static_cast<std::uint32_t>(count))) {
      if (wanted.form == ResultsForm::json_lines) out += json_line(row);
      if (wanted.form == ResultsForm::csv) out += csv_line(row);
      if (row.state != RowState::published) continue;
      if (wanted.form == ResultsForm::pem) out += pem_of(repository, row);
      if (wanted.form == ResultsForm::zip)
        members.push_back({member_name(row), pem_of(repository, row)});
    }
  }
  return wanted.form == ResultsForm::zip ? make_zip(members) : out;
}

http::Response answer_file(const http::Request& request, ResultsForm form, std::string content) {
  const std::string tag = "\"" + to_hex(crypto::sha256(as_bytes(content))).substr(0, 32) + "\"";
  http::Response response{200, content_type(form), {}, {{"ETag", tag}, {"Accept-Ranges", "bytes"}}};
  const std::string* const have = request.header("If-None-Match");
  if (have && *have == tag) {
    response.status = 304;
    return response;
  }
  const std::string* const range = request.header("Range");
  const std::string* const same = request.header("If-Range");
  const std::optional<Span> span =
      range && (!same || *same == tag) ? read_range(*range, content.size()) : std::nullopt;
  if (!span) {
    response.body = std::move(content);
    return response;
  }
  const std::string total = std::to_string(content.size());
  if (span->first == span->end) {
    response =
        refuse({"results-range"_rule, *range + " of " + total + " octets", "Range"}, request.trace);
    response.headers.push_back({"Content-Range", "bytes */" + total});
    return response;
  }
  response.status = 206;
  response.headers.push_back({"Content-Range", "bytes " + std::to_string(span->first) + "-" +
                                                   std::to_string(span->end - 1) + "/" + total});
  response.body = content.substr(span->first, span->end - span->first);
  return response;
}

}  // namespace wattseal::smki
