// What a mirror reads from a repository that it does not trust: notes, checkpoints, keys, addresses
// of tiles, bundles, entries. What is read has exactly one written form.
#include "base/check.h"
#include "smki/log.h"

using namespace wattseal;

namespace {

void read_texts(std::string_view text) {
  const Result<tlog::Checkpoint> checkpoint = tlog::Checkpoint::parse(text);
  if (checkpoint.ok()) CHECK(checkpoint->text() == text);
  const Result<tlog::TileId> tile = tlog::parse_tile_path(text);
  if (tile.ok()) CHECK(tlog::tile_path(*tile) == text);
  const Result<tlog::Verifier> key = tlog::Verifier::parse(text);
  if (key.ok()) CHECK(text.starts_with(key->text()));
  static const tlog::Verifier trusted(
      "log.example",
      crypto::key_from_test_scalar(crypto::sha256(as_bytes("log"))).value()->public_point());
  CHECK(!tlog::open_note(text, trusted).ok());  // nobody signs by chance
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView octets(data, size);
  read_texts(as_text(octets));
  const Result<smki::LogEntry> entry = smki::LogEntry::read(octets);
  if (entry.ok()) CHECK(equal(entry->encode(), octets));
  if (octets.empty()) return 0;
  const unsigned count = octets[0];
  const Result<std::vector<BytesView>> entries = tlog::read_bundle(octets.subspan(1), count);
  if (!entries.ok()) return 0;
  CHECK(entries->size() == count);
  Bytes again;
  for (const BytesView one : *entries) tlog::add_to_bundle(again, one);
  CHECK(equal(again, octets.subspan(1)));
  return 0;
}
