// Batch files: signing requests as people send them, read into rows. A PEM bundle, CSV, JSON lines
// or a ZIP archive, told by the content type where it names one of them, else by the content. A row
// that cannot be read is refused by its rule and harms no other; only a file that is no batch at
// all is refused whole. Nothing is written anywhere: a member's path is only looked at. Formats:
// docs/formats/batches.md. Bounds: batch_file_octets_max for the file and for what an archive
// unpacks to, batch_line_octets_max a row, batch_rows_max rows. Refuses batch-format,
// batch-too-long, batch-csv-column, batch-zip, batch-zip-unpacked, ra-batch-too-large; rows
// batch-row-*, batch-csv-quote. Threads: any. Source: spec/smki.md 3.1, 3.2; K-07.
#pragma once
#include "smki/ra.h"

namespace wattseal::smki {

enum class BatchForm { pem, csv, json_lines, zip, der };
std::string_view text(BatchForm form);

struct BatchFile {
  BatchForm form = BatchForm::pem;
  std::vector<Bytes> requests;         // PKCS#10 DER by row; of unreadable rows a digest of the row
  std::vector<RowRefusal> unreadable;  // in order of rows
};
Result<BatchFile> read_batch_file(std::string_view content, std::string_view content_type);

// One certificate in each PEM member, as a ZIP archive; names are unique. Throws Fault.
struct ZipMember {
  std::string name, content;
};
std::string make_zip(const std::vector<ZipMember>& members);

}  // namespace wattseal::smki
