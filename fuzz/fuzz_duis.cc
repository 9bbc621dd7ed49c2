// The schema of service requests: each type judges any text; a text put into an example makes the
// whole document right exactly when it is a value of its type; keys and values make a valid request
// or are refused. The first octet chooses the service, the second the element.
#include "base/check.h"
#include "duis/compose.h"
#include "duis/schema.h"
#include "terms/terms.h"
#include "xml/dsig.h"

using namespace wattseal;

namespace {

// Leaves of a body beside the types that its structure gives them.
void collect(xml::Element& element, const duis::Structure& structure,
             std::vector<std::pair<xml::Element*, const duis::ValueType*>>& leaves) {
  if (structure.text) leaves.emplace_back(&element, structure.text);
  for (xml::Element& child : element.children) {
    for (const duis::Member& member : structure.members) {
      if (member.name != child.name) continue;
      if (member.value) leaves.emplace_back(&child, member.value);
      if (member.structure) collect(child, *member.structure, leaves);
      break;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096) return 0;
  const ServiceRequestRow& row = service_requests()[data[0] % service_requests().size()];
  const std::string text(as_text({data + 2, size - 2}));
  duis::ServiceRequest request = duis::example_request(row.variant);
  std::vector<std::pair<xml::Element*, const duis::ValueType*>> leaves;
  collect(request.body, *duis::body_member(row.element)->structure, leaves);
  if (!leaves.empty()) {
    const auto& [leaf, type] = leaves[data[1] % leaves.size()];
    leaf->text = text;
    const Status status = duis::check_schema(duis::to_element(request));
    CHECK(status.ok() == duis::is_value(*type, text));
    CHECK(status.ok() || status.refusal().field.starts_with("/Request/Body/"));
  }
  const std::size_t equals = text.find('=');
  duis::Recipe recipe{std::string(row.variant), duis::example_id()};
  recipe.fill = (data[1] & 1) != 0;
  recipe.values.push_back(
      {text.substr(0, equals), equals == std::string::npos ? "" : text.substr(equals + 1)});
  const Result<duis::ServiceRequest> made = duis::compose(recipe);
  if (made.ok()) CHECK(duis::read_request(duis::to_element(*made)).ok());
  return 0;
}
