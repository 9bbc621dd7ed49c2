// Official schemas (W3C XML Schema), where somebody has them, as a second opinion: libxml2's
// validator behind a door. The field's rules do not need it; duis/schema.h is compared with it.
// Thread-safe once compiled. Known differences of libxml2 2.9 from the recommendation: white space
// around dates, times and bounded integers is refused, and a decimal number has at most 24 digits.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "xml/xml.h"

namespace wattseal::xml {

struct SchemaFile {
  std::string name;  // as imports call it, "xmldsig-core-schema.xsd"
  std::string text;
};

class Xsd {
 public:
  // The first file is the schema, the others are what it imports. Nothing is read from disk or
  // network. The type of ds:X509SerialNumber is widened to text: serial numbers have more digits
  // than libxml2 takes. Refuses xsd-broken.
  static Result<Xsd> compile(const std::vector<SchemaFile>& files);
  Xsd(Xsd&&) noexcept;
  Xsd& operator=(Xsd&&) noexcept;
  ~Xsd();

  Status check(const Document& document) const;  // refuses xsd-invalid with the first error

 private:
  struct Native;
  explicit Xsd(std::unique_ptr<Native> native);
  std::unique_ptr<Native> native_;
};

}  // namespace wattseal::xml
