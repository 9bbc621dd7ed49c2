// The official schemas from a folder, for a second verdict beside our own.
#pragma once
#include "xml/xsd.h"

namespace wattseal::apps {

// All *.xsd files of the folder; the one whose target is the DUIS namespace is the schema, the
// others are what it imports. Refuses xsd-broken.
Result<xml::Xsd> official_schema(const std::string& folder);

// What our own rows and the official schema say of one document.
struct Verdict {
  Status own;                      // everything: schema, what binds fields, shape of the signature
  std::optional<Status> schema;    // the rows alone; absent for what is no XML
  std::optional<Status> official;  // absent without --xsd
  bool good() const { return own.ok() && (!official || official->ok()); }
  bool agree() const { return !schema || !official || schema->ok() == official->ok(); }
};
Verdict judge(const xml::Document& document, const xml::Xsd* official);

}  // namespace wattseal::apps
