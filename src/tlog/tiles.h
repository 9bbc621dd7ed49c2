// A log as static files: hashes in tiles of 256, entries in bundles of 256, each with one address
// that never changes its content. Here are the addresses, the bundles, and the growth of tiles;
// nothing is stored or fetched. Sizes are below 2^62. Threads: values, and one thread a Growth.
// Rules: tlog-path, tlog-tile. Source: C2SP tlog-tiles.
#pragma once
#include <map>
#include <string>

#include "tlog/tree.h"

namespace wattseal::tlog {

inline constexpr unsigned kTileHeight = 8, kTileWidth = 1u << kTileHeight;
inline constexpr std::size_t kHashOctets = 32, kEntryOctetsMax = 65'535;
inline constexpr std::uint64_t kTreeSizeMax = std::uint64_t{1} << 62;

// A tile of hashes, or the bundle of entries under a tile of level 0.
struct TileId {
  unsigned level = 0;
  std::uint64_t index = 0;
  unsigned width = kTileWidth;  // 1 to 256; less than 256 at the right edge only
  bool entries = false;
  friend bool operator==(const TileId&, const TileId&) = default;
};
// "tile/0/x001/067", "tile/1/000.p/5", "tile/entries/000". Refuses tlog-path; reading is strict, so
// that one tile has one address.
std::string tile_path(const TileId& tile);
Result<TileId> parse_tile_path(std::string_view path);
// Hashes that the tile has in a tree of this size; 0: there is no such tile.
unsigned tile_width(unsigned level, std::uint64_t index, std::uint64_t tree_size);

// A bundle: each entry after its length in two octets. REQUIRES entries of at most 65535 octets.
void add_to_bundle(Bytes& bundle, BytesView entry);
// Exactly `count` entries and nothing more. Refuses tlog-tile.
Result<std::vector<BytesView>> read_bundle(BytesView bundle, unsigned count);

// The octets of a tile: at least as many hashes as the tree that is read has there.
using TileReader = std::function<Bytes(unsigned level, std::uint64_t index)>;
// Reads subtrees out of tiles. REQUIRES that the tiles are wide enough.
SubtreeReader subtrees_of(TileReader tiles);

// A tree that grows leaf by leaf: remembers the tiles that changed, reads the others.
class Growth {
 public:
  Growth(std::uint64_t size, TileReader kept);
  void add(const Hash& leaf);
  std::uint64_t size() const { return size_; }
  Hash root() const;
  // Tiles that are new or wider than before, by level and index.
  using Tiles = std::map<std::pair<unsigned, std::uint64_t>, Bytes>;
  const Tiles& changed() const { return changed_; }
  Bytes tile(unsigned level, std::uint64_t index) const;

 private:
  std::uint64_t size_;
  TileReader kept_;
  Tiles changed_;
};

}  // namespace wattseal::tlog
