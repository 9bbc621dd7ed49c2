#include "xml/c14n.h"

#include <libxml/c14n.h>
#include <libxml/xmlIO.h>
#include <libxml/xmlerror.h>

#include "base/fault.h"

namespace wattseal::xml {
namespace {

struct BufferDeleter {
  void operator()(xmlOutputBuffer* buffer) const { xmlOutputBufferClose(buffer); }
};

// libxml2 asks for each node with its parent (a namespace declaration has none of its own). The way
// up is bounded by the depth that parse() allows.
bool is_below(const xmlNode* node, const xmlNode* parent, const xmlNode* apex) {
  if (node == apex) return true;
  for (const xmlNode* up = parent; up; up = up->parent) {
    if (up == apex) return true;
  }
  return false;
}
int is_outside(void* apex, xmlNode* node, xmlNode* parent) {
  return is_below(node, parent, static_cast<const xmlNode*>(apex)) ? 0 : 1;
}
int is_inside(void* apex, xmlNode* node, xmlNode* parent) {
  return is_below(node, parent, static_cast<const xmlNode*>(apex)) ? 1 : 0;
}

void ignore(void*, xmlError*) {}

std::optional<std::string> canonical(xmlDoc& tree, xmlC14NIsVisibleCallback visible,
                                     const xmlNode* apex, xmlC14NMode mode) {
  xmlSetStructuredErrorFunc(nullptr, ignore);  // of this thread; libxml2 prints to stderr otherwise
  const std::unique_ptr<xmlOutputBuffer, BufferDeleter> buffer(xmlAllocOutputBuffer(nullptr));
  if (!buffer) throw Fault("libxml2 is out of memory");
  const int result =
      xmlC14NExecute(&tree, visible, const_cast<xmlNode*>(apex), mode, nullptr, 0, buffer.get());
  if (result < 0) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(xmlOutputBufferGetContent(buffer.get())),
                     xmlOutputBufferGetSize(buffer.get()));
}

}  // namespace

std::optional<std::string> canonical_without(xmlDoc& tree, const xmlNode* omitted) {
  return canonical(tree, omitted ? is_outside : nullptr, omitted, XML_C14N_1_0);
}

std::optional<std::string> canonical_exclusive(xmlDoc& tree, const xmlNode& apex) {
  return canonical(tree, is_inside, &apex, XML_C14N_EXCLUSIVE_1_0);
}

}  // namespace wattseal::xml
