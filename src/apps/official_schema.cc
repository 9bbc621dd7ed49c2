#include "apps/official_schema.h"

#include <algorithm>
#include <filesystem>

#include "apps/commands.h"
#include "duis/duis.h"
#include "duis/schema.h"
#include "xml/dsig.h"

namespace wattseal::apps {
namespace {

namespace fs = std::filesystem;

bool has_signature(const xml::Element& root) {
  return std::ranges::any_of(
      root.children, [](const xml::Element& child) { return child.ns == xml::kDsigNamespace; });
}

Status read(const xml::Document& document) {
  const xml::Element& root = document.root();
  if (root.name == "Response")
    TRY(duis::check_schema(root));
  else
    TRY(duis::read_request(root));
  if (has_signature(root)) TRY(xml::claimed_signer(document));
  return {};
}

}  // namespace

Result<xml::Xsd> official_schema(const std::string& folder) {
  const std::string target = "targetNamespace=\"" + std::string(duis::kNamespace) + "\"";
  std::error_code error;
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".xsd") paths.push_back(entry.path());
  std::ranges::sort(paths);
  std::vector<xml::SchemaFile> files;
  std::size_t schemas = 0;
  for (const fs::path& path : paths) {
    xml::SchemaFile file{path.filename().string(), read_input(path.string())};
    const bool is_schema = file.text.find(target) != std::string::npos;
    schemas += is_schema;
    files.insert(is_schema ? files.begin() : files.end(), std::move(file));
  }
  if (schemas != 1)
    return Refusal{
        "xsd-broken"_rule,
        std::to_string(schemas) + " of its *.xsd files are schemas of DUIS; one is needed", folder};
  return xml::Xsd::compile(files);
}

Verdict judge(const xml::Document& document, const xml::Xsd* official) {
  Verdict verdict{read(document), duis::check_schema(document.root()), std::nullopt};
  if (official) verdict.official = official->check(document);
  return verdict;
}

}  // namespace wattseal::apps
