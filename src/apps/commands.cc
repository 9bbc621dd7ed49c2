#include "apps/commands.h"

#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/fault.h"
#include "terms/terms.h"
#include "x509/x509.h"

namespace wattseal::apps {

std::string read_input(const std::string& file) {
  if (file == "-")
    return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  std::ifstream in(file, std::ios::binary);
  if (!in) throw UnreadableInput("cannot read " + file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void write_output(const std::string& file, std::string_view content) {
  if (file == "-") {
    std::cout.write(content.data(), static_cast<std::streamsize>(content.size()));
    std::cout.flush();
    return;
  }
  std::ofstream out(file, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.flush();
  if (!out) throw Fault("cannot write " + file);
}

Result<std::vector<Bytes>> read_roots(const std::vector<std::string>& files) {
  std::vector<Bytes> roots;
  for (const std::string& file : files) {
    TRY_ASSIGN(const x509::Certificate root, x509::parse_certificate_pem(read_input(file)));
    roots.push_back(root.der);
  }
  return roots;
}

Result<std::filesystem::path> store_folder(const std::string& data) {
  const std::filesystem::path folder = std::filesystem::path(data) / "store";
  if (!std::filesystem::exists(folder))
    return Refusal{"apps-no-store"_rule, folder.string() + " does not exist"};
  return folder;
}

Result<Bytes> read_octets(std::string_view content) {
  const bool text = std::ranges::all_of(content, [](char c) {
    return c == '\n' || c == '\r' || c == '\t' || (c >= ' ' && c <= '~');
  });
  if (!text) return to_bytes(as_bytes(content));
  std::string digits;
  for (const char c : content) {
    if (c > ' ') digits.push_back(c);
  }
  if (const std::optional<Bytes> octets = from_hex(digits)) return *octets;
  if (const std::optional<Bytes> octets = from_base64(digits)) return *octets;
  return Refusal{"apps-input"_rule, "the input is neither hexadecimal nor base64 nor raw octets"};
}

int refuse(const Context& context, const Refusal& refusal) {
  const RuleRow& row = rule_row(refusal.rule);
  if (context.json) {
    print_json({{"rule", refusal.rule.text()},
                {"explanation", row.explanation},
                {"found", refusal.detail},
                {"field", refusal.field},
                {"fix", row.fix}});
  } else {
    fmt::print(stderr, "{}\n", explain(refusal));
  }
  return kRefused;
}

void print_json(const nlohmann::json& value) { fmt::print("{}\n", value.dump(2)); }

std::string examples(std::initializer_list<std::string_view> lines) {
  std::string text = "Examples:\n";
  for (const std::string_view line : lines) text += "  " + std::string(line) + "\n";
  return text;
}

}  // namespace wattseal::apps
