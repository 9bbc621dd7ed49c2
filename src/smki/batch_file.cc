#include "smki/batch_file.h"

#include <cctype>
#include <nlohmann/json.hpp>

#include "smki/batch_zip.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

constexpr std::string_view kRequestNames[] = {"request", "csr", "pkcs10", "der"};
// RFC 7468 7: parsers accept the older label too.
constexpr std::string_view kLabels[] = {"CERTIFICATE REQUEST-----", "NEW CERTIFICATE REQUEST-----"};
constexpr std::string_view kBegin = "-----BEGIN ", kEnd = "-----END ";

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}
std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// Collects rows up to the bound.
class Rows {
 public:
  explicit Rows(BatchFile& file) : file_(file) {}

  // `raw` stands for a row that cannot be read, so that repeating the file is recognised.
  Status add(Result<Bytes> row, std::string_view raw) {
    if (file_.requests.size() == limit("batch_rows_max"))
      return Refusal{"ra-batch-too-large"_rule,
                     "more than " + std::to_string(limit("batch_rows_max")) + " requests"};
    if (row.ok()) {
      file_.requests.push_back(std::move(*row));
      return {};
    }
    file_.unreadable.push_back({static_cast<std::uint32_t>(file_.requests.size()), row.refusal()});
    file_.requests.push_back(to_bytes(crypto::sha256(as_bytes(raw))));
    return {};
  }

 private:
  BatchFile& file_;
};

// ---- one row

Refusal too_long(std::size_t octets) {
  return {"batch-row-long"_rule, std::to_string(octets) + " octets"};
}

// The label's end behind a BEGIN at `at`; nothing for another kind of block.
std::optional<std::size_t> label_end(std::string_view text, std::size_t at) {
  for (const std::string_view label : kLabels) {
    if (text.substr(at).starts_with(label)) return at + label.size();
  }
  return {};
}

// Every request of a PEM bundle. A block without its end is refused and ends where the next begins;
// other blocks, and text between them, are passed over.
Status each_pem(std::string_view text,
                const std::function<Status(Result<Bytes>, std::string_view)>& visit) {
  for (std::size_t at = 0; (at = text.find(kBegin, at)) != std::string_view::npos;) {
    const std::size_t begin = at;
    const std::optional<std::size_t> body = label_end(text, at + kBegin.size());
    at += kBegin.size();
    if (!body) continue;
    const std::size_t next = std::min(text.find(kBegin, *body), text.size());
    const std::size_t end = text.substr(0, next).find(kEnd, *body);
    const std::string_view raw = text.substr(begin, std::min(end, next) - begin);
    at = next;
    if (end == std::string_view::npos || !label_end(text, end + kEnd.size())) {
      TRY(visit(Refusal{"batch-row-pem"_rule, "the block does not end"}, raw));
      continue;
    }
    const std::string_view base64 = text.substr(*body, end - *body);
    if (base64.size() > limit("batch_line_octets_max")) {
      TRY(visit(too_long(base64.size()), raw));
      continue;
    }
    std::optional<Bytes> der = from_base64(base64);
    if (!der || der->empty())
      TRY(visit(Refusal{"batch-row-pem"_rule, "the block is not base64"}, raw));
    else
      TRY(visit(std::move(*der), raw));
  }
  return {};
}

// Base64, hexadecimal or one PEM block. Hexadecimal of a PKCS#10 starts with 30, base64 with M.
Result<Bytes> read_row(std::string_view given) {
  const std::string_view row = trimmed(given);
  if (row.empty()) return Refusal{"batch-row-empty"_rule, "nothing stands there"};
  if (row.size() > limit("batch_line_octets_max")) return too_long(row.size());
  if (row.starts_with(kBegin)) {
    std::vector<Result<Bytes>> blocks;
    TRY(each_pem(row, [&](Result<Bytes> block, std::string_view) -> Status {
      blocks.push_back(std::move(block));
      return {};
    }));
    if (blocks.size() != 1)
      return Refusal{"batch-row-pem"_rule,
                     std::to_string(blocks.size()) + " requests where one is expected"};
    return std::move(blocks.front());
  }
  std::optional<Bytes> der = row.starts_with("30") ? from_hex(row) : std::nullopt;
  if (!der) der = from_base64(row);
  if (!der) der = from_hex(row);
  if (!der || der->empty())
    return Refusal{"batch-row-text"_rule, "'" + std::string(row.substr(0, 40)) + "'"};
  return std::move(*der);
}

// ---- JSON lines

Result<Bytes> read_json_row(std::string_view line) {
  if (line.size() > limit("batch_line_octets_max")) return too_long(line.size());
  const json value = json::parse(line, nullptr, false);
  if (value.is_string()) return read_row(value.get_ref<const std::string&>());
  if (value.is_object()) {
    for (const std::string_view name : kRequestNames) {
      const auto found = value.find(std::string(name));
      if (found != value.end() && found->is_string())
        return read_row(found->get_ref<const std::string&>());
    }
  }
  return Refusal{"batch-row-json"_rule, "the line holds no text named request"};
}

Status read_json_lines(std::string_view content, Rows& rows) {
  while (!content.empty()) {
    const std::size_t end = std::min(content.find('\n'), content.size());
    const std::string_view line = trimmed(content.substr(0, end));
    content.remove_prefix(std::min(end + 1, content.size()));
    if (!line.empty()) TRY(rows.add(read_json_row(line), line));
  }
  return {};
}

// ---- CSV, as RFC 4180 has it: quoted fields may hold separators and line breaks

struct CsvRow {
  std::vector<std::string> fields;
  std::string_view raw;
  bool quote_open = false, too_long = false;
};

// Takes one row off the front. One that is too long, or whose quote does not end within the longest
// row, spoils its own line only.
CsvRow take_csv_row(std::string_view& content, char separator) {
  CsvRow row;
  const std::string_view start = content;
  std::string field;
  bool quoted = false;
  std::size_t at = 0;
  const std::size_t bound = std::min<std::size_t>(start.size(), limit("batch_line_octets_max"));
  for (; at < bound; ++at) {
    const char c = start[at];
    if (c == '"') {
      if (quoted && at + 1 < bound && start[at + 1] == '"')
        field += start[++at];
      else
        quoted = !quoted;
    } else if (!quoted && c == separator) {
      row.fields.push_back(std::exchange(field, {}));
    } else if (!quoted && c == '\n') {
      break;
    } else {
      field += c;
    }
  }
  row.fields.push_back(std::move(field));
  row.quote_open = quoted;
  row.too_long = !quoted && at == bound && bound < start.size() && start[at] != '\n';
  if (row.quote_open || row.too_long)
    at = std::min(start.find('\n', quoted ? 0 : at), start.size());
  row.raw = start.substr(0, at);
  content.remove_prefix(std::min(at + 1, start.size()));
  return row;
}

std::string_view without_mark(std::string_view content) {
  if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);
  return content;
}

// The column of the request, by the header line; nothing when it names none.
std::optional<std::size_t> csv_column(const CsvRow& header) {
  for (std::size_t i = 0; i < header.fields.size(); ++i) {
    const std::string name = lower(trimmed(header.fields[i]));
    if (std::ranges::find(kRequestNames, name) != std::end(kRequestNames)) return i;
  }
  return {};
}
char csv_separator(std::string_view content) {
  const std::string_view header = content.substr(0, content.find('\n'));
  for (const char c : {',', ';', '\t'}) {
    if (header.find(c) != std::string_view::npos) return c;
  }
  return ',';
}

Status read_csv(std::string_view content, Rows& rows) {
  content = without_mark(content);
  const char separator = csv_separator(content);
  const CsvRow header = take_csv_row(content, separator);
  const std::optional<std::size_t> column = csv_column(header);
  if (!column)
    return Refusal{"batch-csv-column"_rule, "'" + std::string(header.raw.substr(0, 80)) + "'",
                   "line 1"};
  while (!content.empty()) {
    const CsvRow row = take_csv_row(content, separator);
    if (trimmed(row.raw).empty()) continue;
    if (row.quote_open)
      TRY(rows.add(Refusal{"batch-csv-quote"_rule, "a quoted field does not end"}, row.raw));
    else if (row.too_long)
      TRY(rows.add(too_long(row.raw.size()), row.raw));
    else
      TRY(rows.add(read_row(*column < row.fields.size() ? row.fields[*column] : ""), row.raw));
  }
  return {};
}

// ---- ZIP

Status read_archive(std::string_view content, Rows& rows) {
  return read_zip(content, [&](ZipRow member) -> Status {
    if (member.refusal) return rows.add(std::move(*member.refusal), member.name);
    const std::string& octets = member.content;
    if (octets.starts_with('\x30') && octets.size() > 1 &&
        static_cast<unsigned char>(octets[1]) >= 0x80)  // DER; hexadecimal has a digit there
      return rows.add(to_bytes(as_bytes(octets)), octets);
    Result<Bytes> row = read_row(octets);
    if (row.ok()) return rows.add(std::move(row), octets);
    Refusal refusal = row.refusal();
    refusal.detail = "'" + member.name.substr(0, 200) + "': " + refusal.detail;
    return rows.add(std::move(refusal), member.name + octets);
  });
}

// ---- which form

std::optional<BatchForm> by_type(std::string_view content_type) {
  const std::string type = lower(trimmed(content_type.substr(0, content_type.find(';'))));
  constexpr std::pair<std::string_view, BatchForm> kTypes[] = {
      {"application/x-pem-file", BatchForm::pem},
      {"application/pem-certificate-chain", BatchForm::pem},
      {"text/csv", BatchForm::csv},
      {"application/jsonl", BatchForm::json_lines},
      {"application/x-ndjson", BatchForm::json_lines},
      {"application/zip", BatchForm::zip},
      {"application/x-zip-compressed", BatchForm::zip},
      {"application/pkcs10", BatchForm::der},
  };
  for (const auto& [name, form] : kTypes) {
    if (type == name) return form;
  }
  return {};
}

std::optional<BatchForm> by_content(std::string_view content) {
  if (content.starts_with("PK\x03\x04") || content.starts_with("PK\x05\x06")) return BatchForm::zip;
  const std::string_view start = trimmed(without_mark(content.substr(0, 4096)));
  if (start.starts_with('{') || start.starts_with('"')) {
    // A quoted CSV header starts as a JSON text does.
    const json first = json::parse(start.substr(0, start.find('\n')), nullptr, false);
    if (!first.is_discarded() || start.starts_with('{')) return BatchForm::json_lines;
  }
  std::string_view rest = without_mark(content);
  const char separator = csv_separator(rest);
  if (csv_column(take_csv_row(rest, separator))) return BatchForm::csv;
  for (std::size_t at = 0; (at = content.find(kBegin, at)) != std::string_view::npos;) {
    at += kBegin.size();
    if (label_end(content, at)) return BatchForm::pem;
  }
  if (content.size() > 1 && content[0] == '\x30' && static_cast<unsigned char>(content[1]) >= 0x80)
    return BatchForm::der;
  return {};
}

}  // namespace

std::string_view text(BatchForm form) {
  constexpr std::string_view kTexts[] = {"pem", "csv", "jsonl", "zip", "der"};
  return kTexts[static_cast<std::size_t>(form)];
}

Result<BatchFile> read_batch_file(std::string_view content, std::string_view content_type) {
  if (content.size() > limit("batch_file_octets_max"))
    return Refusal{"batch-too-long"_rule, std::to_string(content.size()) + " octets"};
  std::optional<BatchForm> form = by_type(content_type);
  if (!form) form = by_content(content);
  if (!form)
    return Refusal{"batch-format"_rule,
                   "it starts with '" + to_hex(as_bytes(content.substr(0, 8))) + "'",
                   "Content-Type"};
  BatchFile file;
  file.form = *form;
  Rows rows(file);
  switch (*form) {
    case BatchForm::pem:
      TRY(each_pem(content, [&](Result<Bytes> block, std::string_view raw) {
        return rows.add(std::move(block), raw);
      }));
      break;
    case BatchForm::csv: TRY(read_csv(content, rows)); break;
    case BatchForm::json_lines: TRY(read_json_lines(content, rows)); break;
    case BatchForm::zip: TRY(read_archive(content, rows)); break;
    case BatchForm::der: TRY(rows.add(to_bytes(as_bytes(content)), content)); break;
  }
  return file;
}

}  // namespace wattseal::smki
