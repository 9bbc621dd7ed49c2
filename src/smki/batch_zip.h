// ZIP archives, by libzip. Private to smki.
#pragma once
#include "smki/batch_file.h"

namespace wattseal::smki {

// Hands each member to `row`: its content, or why it is not read. Folders are passed over.
struct ZipRow {
  std::string name, content;
  std::optional<Refusal> refusal;
};
Status read_zip(std::string_view archive, const std::function<Status(ZipRow row)>& visit);

}  // namespace wattseal::smki
