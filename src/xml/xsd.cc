// libxml2 resolves imports by their location. Each file gets a location of our own scheme, and an
// input callback serves that scheme from memory.
#include "xml/xsd.h"

#include <libxml/parser.h>
#include <libxml/xmlIO.h>
#include <libxml/xmlschemas.h>

#include <mutex>

#include "base/fault.h"
#include "xml/watched_parser.h"

namespace wattseal::xml {
namespace {

constexpr std::string_view kScheme = "wattseal-schema:/";
constexpr std::size_t kMessageOctetsMax = 240;
constexpr Limits kNoLimits{SIZE_MAX, SIZE_MAX, SIZE_MAX};  // of a document that was within its own
constexpr int kOptions = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING;

const xmlChar* text_of(const char* text) { return reinterpret_cast<const xmlChar*>(text); }

// What the callbacks serve: the files of the schema that this thread compiles.
thread_local const std::vector<std::string>* served = nullptr;

const std::string* served_file(const char* location) {
  const std::string_view text = location;
  if (!served || !text.starts_with(kScheme)) return nullptr;
  std::size_t index = 0;
  for (const char c : text.substr(kScheme.size())) {
    if (c < '0' || c > '9' || index > served->size()) return nullptr;
    index = index * 10 + static_cast<std::size_t>(c - '0');
  }
  return index < served->size() ? &(*served)[index] : nullptr;
}

int matches(const char* location) { return served_file(location) != nullptr; }
void* open_file(const char* location) { return new std::string_view(*served_file(location)); }
int read_file(void* context, char* to, int room) {
  std::string_view& rest = *static_cast<std::string_view*>(context);
  const std::size_t octets = rest.copy(to, static_cast<std::size_t>(std::max(room, 0)));
  rest.remove_prefix(octets);
  return static_cast<int>(octets);
}
int close_file(void* context) {
  delete static_cast<std::string_view*>(context);
  return 0;
}

// An import names its file as a relative URI, with spaces raw or escaped.
std::string file_name(std::string_view location) {
  std::string name(location.substr(location.rfind('/') + 1));
  for (std::size_t at = 0; (at = name.find("%20", at)) != std::string::npos;)
    name.replace(at, 3, " ");
  return name;
}

void adapt(xmlNode* node, const std::vector<SchemaFile>& files) {
  for (; node; node = node->next) {
    if (node->type != XML_ELEMENT_NODE) continue;
    const auto attribute = [node](const char* name) {
      xmlChar* const value = xmlGetNoNsProp(node, text_of(name));
      const std::string copy(view(value));
      xmlFree(value);
      return copy;
    };
    if (view(node->name) == "import" || view(node->name) == "include") {
      const std::string wanted = file_name(attribute("schemaLocation"));
      for (std::size_t i = 0; i < files.size(); ++i) {
        if (files[i].name != wanted) continue;
        const std::string location = std::string(kScheme) + std::to_string(i);
        xmlSetProp(node, text_of("schemaLocation"), text_of(location.c_str()));
      }
    }
    if (view(node->name) == "element" && attribute("name") == "X509SerialNumber") {
      const std::string type = attribute("type");
      const std::string prefix = type.substr(0, type.find(':') + 1);
      xmlSetProp(node, text_of("type"), text_of((prefix + "string").c_str()));
    }
    adapt(node->children, files);
  }
}

Result<std::string> adapted(const SchemaFile& file, const std::vector<SchemaFile>& files) {
  const XmlDoc tree(xmlReadMemory(file.text.data(), static_cast<int>(file.text.size()),
                                  file.name.c_str(), nullptr, kOptions));
  if (!tree) return Refusal{"xsd-broken"_rule, "it is not well-formed", file.name};
  adapt(tree->children, files);
  xmlChar* octets = nullptr;
  int length = 0;
  xmlDocDumpMemory(tree.get(), &octets, &length);
  if (!octets) throw Fault("libxml2 is out of memory");
  std::string text(view(octets));
  xmlFree(octets);
  return text;
}

struct FirstError {
  std::string text;
  static void keep(void* context, xmlError* error) {
    FirstError& first = *static_cast<FirstError*>(context);
    if (!first.text.empty() || error->level < XML_ERR_ERROR) return;
    const std::string_view message = trim(error->message ? error->message : "?");
    first.text = "line " + std::to_string(error->line) + ": ";
    first.text += message.substr(0, kMessageOctetsMax);  // it quotes whole patterns and lists
    if (message.size() > kMessageOctetsMax) first.text += "...";
  }
};

}  // namespace

struct Xsd::Native {
  xmlSchema* schema = nullptr;
  ~Native() { xmlSchemaFree(schema); }
};

Xsd::Xsd(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Xsd::Xsd(Xsd&&) noexcept = default;
Xsd& Xsd::operator=(Xsd&&) noexcept = default;
Xsd::~Xsd() = default;

Result<Xsd> Xsd::compile(const std::vector<SchemaFile>& files) {
  static std::once_flag registered;
  std::call_once(registered, [] {
    xmlInitParser();
    if (xmlRegisterInputCallbacks(matches, open_file, read_file, close_file) < 0)
      throw Fault("libxml2 takes no further input callbacks");
  });
  CHECK(!files.empty());
  std::vector<std::string> texts;
  for (const SchemaFile& file : files) {
    TRY_ASSIGN(std::string text, adapted(file, files));
    texts.push_back(std::move(text));
  }
  served = &texts;
  FirstError error;
  std::string first(kScheme);
  first += "0";
  xmlSchemaParserCtxt* const parser = xmlSchemaNewParserCtxt(first.c_str());
  if (!parser) throw Fault("libxml2 is out of memory");
  xmlSchemaSetParserStructuredErrors(parser, &FirstError::keep, &error);
  auto native = std::make_unique<Native>();
  native->schema = xmlSchemaParse(parser);
  xmlSchemaFreeParserCtxt(parser);
  served = nullptr;
  if (!native->schema || !error.text.empty())
    return Refusal{"xsd-broken"_rule, error.text, files.front().name};
  return Xsd(std::move(native));
}

Status Xsd::check(const Document& document) const {
  const std::unique_ptr<xmlSchemaValidCtxt, decltype(&xmlSchemaFreeValidCtxt)> context(
      xmlSchemaNewValidCtxt(native_->schema), &xmlSchemaFreeValidCtxt);
  if (!context) throw Fault("libxml2 is out of memory");
  FirstError error;
  xmlSchemaSetValidStructuredErrors(context.get(), &FirstError::keep, &error);
  XmlDoc again;  // what the quick reader took, libxml2 takes, too
  if (!document.native().parsed) {
    TRY_ASSIGN(again, parse_tree(document.native().text, kNoLimits));
  }
  const XmlDoc& judged = again ? again : document.native().parsed;
  const int verdict = xmlSchemaValidateDoc(context.get(), judged.get());
  if (verdict < 0) throw Fault("libxml2's validator failed");
  if (verdict == 0) return {};
  return Refusal{"xsd-invalid"_rule, error.text};
}

}  // namespace wattseal::xml
