// XML in: hostile until proven otherwise. No DTD, no entities but the five, no network, bounded
// size, depth and count. XML out: from plain Element values. libxml2 does the parsing; nobody else
// sees it. Errors: xml-malformed, xml-doctype, xml-too-large, xml-too-deep, xml-too-many-elements.
// Thread-safe: a Document belongs to one thread at a time.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace wattseal::xml {

// Only attributes in no namespace: by its local name alone, x:schemaVersion would pass for
// schemaVersion. Of others an Element only tells that there are some.
struct Attribute {
  std::string name;
  std::string value;
  friend bool operator==(const Attribute&, const Attribute&) = default;
};

// A plain value. `text` is the character data directly inside, joined; comments, instructions and
// all that stands inside a parsed ds:Signature are dropped: dsig.h reads that.
struct Element {
  std::string ns;    // namespace URI, empty for none
  std::string name;  // local name
  std::vector<Attribute> attributes;
  std::string text;
  std::vector<Element> children;
  // An attribute in a namespace was there; where the schema lies (xsi:schemaLocation,
  // xsi:noNamespaceSchemaLocation) is a hint and does not count.
  bool foreign_attribute = false;

  const Element* child(std::string_view local_name) const;  // first of that name, or null
  std::vector<const Element*> all(std::string_view local_name) const;
  const std::string* attribute(std::string_view local_name) const;
  std::string_view trimmed() const;  // text without surrounding white space
  friend bool operator==(const Element&, const Element&) = default;
};

struct Limits {
  std::size_t octets =
      16 * 1024 *
      1024;  // a firmware request is the largest document of the field: 10 MB image in base64
  std::size_t depth = 64;
  std::size_t elements =
      200'000;  // and as many attributes, comments and processing instructions together
};

class Document {
 public:
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();
  const Element& root() const;

  struct Native;  // libxml2's tree, for dsig.cc only
  const Native& native() const { return *native_; }

 private:
  friend Result<Document> parse(std::string_view, const Limits&);
  explicit Document(std::unique_ptr<Native> native);
  std::unique_ptr<Native> native_;
};

Result<Document> parse(std::string_view text, const Limits& limits = {});

struct Prefix {
  std::string prefix, ns;
};
// With XML declaration; namespaces are declared on the root by the prefixes given, no white space
// is added.
std::string write(const Element& root, const std::vector<Prefix>& prefixes);
// The same document in the form that signatures digest: inclusive Canonical XML 1.0, no
// declaration.
std::string write_canonical(const Element& root, const std::vector<Prefix>& prefixes);
std::string escape(std::string_view text);

}  // namespace wattseal::xml
