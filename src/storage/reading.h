// An embedded store that is only read: an auditor's copy that must stay as it is, or the store of a
// process that is running. Nothing is written into the folder, no lock is taken or needed. What is
// read is the store as it was when it was opened; what its owner commits afterwards is not seen.
// Threads: any. Errors: refusal store-format when the folder holds no store of ours; Fault when it
// cannot be read, also when its owner removed a file in that moment: open it again.
#pragma once
#include "storage/store.h"

namespace wattseal::storage {

// commit() of what is returned throws Fault.
Result<std::unique_ptr<Store>> open_rocksdb_store_to_read(const std::filesystem::path& folder);

}  // namespace wattseal::storage
