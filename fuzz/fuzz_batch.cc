// The readers of batch files. The first octet picks the content type that the sender claims.
#include <array>

#include "base/check.h"
#include "smki/batch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wattseal;
  constexpr std::array<std::string_view, 6> kTypes{"",
                                                   "application/x-pem-file",
                                                   "text/csv",
                                                   "application/jsonl",
                                                   "application/zip",
                                                   "application/pkcs10"};
  if (size == 0) return 0;
  const std::string_view content = as_text(BytesView(data, size).subspan(1));
  const Result<smki::BatchFile> file =
      smki::read_batch_file(content, kTypes[data[0] % kTypes.size()]);
  if (!file.ok()) return 0;
  CHECK(file->unreadable.size() <= file->requests.size());
  std::size_t next = 0;
  for (const smki::RowRefusal& one : file->unreadable) {
    CHECK(one.row >= next && one.row < file->requests.size());
    next = one.row + 1;
  }
  return 0;
}
