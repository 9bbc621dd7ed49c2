// Serial numbers: unpredictable, and unique for ever over all authorities of a store. A number is
// taken by a row of tables::serials in the commit that makes its intent durable, whose precondition
// is that nobody took or published it before: a generator that repeats itself, as that of a
// restored snapshot does, costs another draw and never a duplicate. Private to smki. Source:
// spec/smki.md 1.2; K-05. Throws Fault when the generator gives nothing new. Rules:
// ca-serial-taken.
#pragma once
#include <set>

#include "base/world.h"
#include "storage/store.h"
#include "x509/x509.h"

namespace wattseal::smki {

// The numbers of one commit. One thread.
class Serials {
 public:
  // Careful: looks at every number before the commit does. Without, a commit that is refused with
  // ca-serial-taken is made again with care.
  Serials(Random& random, const storage::Reader& reader, bool careful)
      : random_(random), reader_(reader), careful_(careful) {}
  CertificateSerial draw();

 private:
  Random& random_;
  const storage::Reader& reader_;
  bool careful_;
  std::set<CertificateSerial> drawn_;
};

bool is_taken(const storage::Reader& reader, const CertificateSerial& serial);
// The commit takes the number; refuses ca-serial-taken when it was taken or published before.
void take_serial(storage::Batch& batch, const CertificateSerial& serial);

}  // namespace wattseal::smki
