#include "tlog/tiles.h"

#include <charconv>

#include "base/check.h"

namespace wattseal::tlog {
namespace {

constexpr unsigned kLevelMax = 63;
constexpr std::size_t kIndexGroupsMax = 6;  // of three digits: more than 2^59 tiles

std::string three(std::uint64_t digits) {
  const std::string text = std::to_string(digits);
  return std::string(3 - text.size(), '0') + text;
}

Refusal no_tile(std::string_view path) {
  return {"tlog-path"_rule, std::string(path.substr(0, 80)) + " is no address of a tile", "path"};
}

// Decimal digits without a sign or leading zeros, unless `padded`.
std::optional<std::uint64_t> number(std::string_view digits, bool padded = false) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (!padded && digits.size() > 1 && digits.front() == '0') return std::nullopt;
  return value;
}

// Takes the part before the next '/' off `rest`.
std::string_view take(std::string_view& rest) {
  const std::size_t slash = rest.find('/');
  const std::string_view part = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return part;
}

}  // namespace

std::string tile_path(const TileId& tile) {
  CHECK(tile.width >= 1 && tile.width <= kTileWidth);
  std::string digits = three(tile.index % 1000);
  for (std::uint64_t rest = tile.index / 1000; rest != 0; rest /= 1000)
    digits = "x" + three(rest % 1000) + "/" + digits;
  std::string path = "tile/" + (tile.entries ? "entries" : std::to_string(tile.level)) + "/";
  path += digits;
  if (tile.width != kTileWidth) path += ".p/" + std::to_string(tile.width);
  return path;
}

Result<TileId> parse_tile_path(std::string_view path) {
  std::string_view rest = path;
  TileId tile;
  if (take(rest) != "tile") return no_tile(path);
  const std::string_view level = take(rest);
  tile.entries = level == "entries";
  if (!tile.entries) {
    const std::optional<std::uint64_t> stated = number(level);
    if (!stated || *stated > kLevelMax) return no_tile(path);
    tile.level = static_cast<unsigned>(*stated);
  }
  for (std::size_t group = 0;; ++group) {
    std::string_view part = take(rest);
    const bool last = !part.starts_with('x');
    if (!last) part.remove_prefix(1);
    const bool partial = last && part.ends_with(".p");
    if (partial) part.remove_suffix(2);
    const std::optional<std::uint64_t> digits = number(part, true);
    if (part.size() != 3 || !digits || group >= kIndexGroupsMax) return no_tile(path);
    tile.index = tile.index * 1000 + *digits;
    if (!last) continue;
    if (partial) {
      const std::optional<std::uint64_t> width = number(take(rest));
      if (!width || *width == 0 || *width >= kTileWidth) return no_tile(path);
      tile.width = static_cast<unsigned>(*width);
    }
    break;
  }
  if (tile_path(tile) != path) return no_tile(path);
  return tile;
}

unsigned tile_width(unsigned level, std::uint64_t index, std::uint64_t tree_size) {
  if (level * kTileHeight >= 62) return 0;
  const std::uint64_t hashes = tree_size >> (level * kTileHeight);
  if (index >= (hashes + kTileWidth - 1) / kTileWidth) return 0;
  return static_cast<unsigned>(std::min<std::uint64_t>(kTileWidth, hashes - index * kTileWidth));
}

void add_to_bundle(Bytes& bundle, BytesView entry) {
  CHECK(entry.size() <= kEntryOctetsMax);
  put_be(bundle, static_cast<std::uint16_t>(entry.size()));
  append(bundle, entry);
}

Result<std::vector<BytesView>> read_bundle(BytesView bundle, unsigned count) {
  std::vector<BytesView> entries;
  for (unsigned i = 0; i < count; ++i) {
    const std::size_t length = bundle.size() < 2 ? 0 : get_be(bundle.first(2));
    if (bundle.size() < 2 + length)
      return Refusal{"tlog-tile"_rule, "the bundle ends in entry " + std::to_string(i), "entries"};
    entries.push_back(bundle.subspan(2, length));
    bundle = bundle.subspan(2 + length);
  }
  if (!bundle.empty())
    return Refusal{"tlog-tile"_rule, "octets follow the last entry of the bundle", "entries"};
  return entries;
}

SubtreeReader subtrees_of(TileReader tiles) {
  return [tiles = std::move(tiles)](unsigned level, std::uint64_t index) {
    const unsigned above = level % kTileHeight;  // levels over the hashes that the tile holds
    const std::uint64_t first = index << above;
    const Bytes tile = tiles(level / kTileHeight, first / kTileWidth);
    const std::size_t at = (first % kTileWidth) * kHashOctets;
    std::size_t count = std::size_t{1} << above;
    CHECK(tile.size() >= at + count * kHashOctets);
    std::vector<Hash> hashes(count);
    for (std::size_t i = 0; i < count; ++i)
      std::copy_n(tile.begin() + static_cast<std::ptrdiff_t>(at + i * kHashOctets), kHashOctets,
                  hashes[i].begin());
    for (; count > 1; count /= 2) {
      for (std::size_t i = 0; i < count / 2; ++i)
        hashes[i] = node_hash(hashes[2 * i], hashes[2 * i + 1]);
    }
    return hashes[0];
  };
}

namespace {

Hash full_tile_root(const Bytes& tile) {
  const SubtreeReader read = subtrees_of([&tile](unsigned, std::uint64_t) { return tile; });
  return node_hash(read(kTileHeight - 1, 0), read(kTileHeight - 1, 1));
}

}  // namespace

Growth::Growth(std::uint64_t size, TileReader kept) : size_(size), kept_(std::move(kept)) {}

Bytes Growth::tile(unsigned level, std::uint64_t index) const {
  const Tiles::const_iterator found = changed_.find({level, index});
  return found != changed_.end() ? found->second : kept_(level, index);
}

void Growth::add(const Hash& leaf) {
  CHECK(size_ < kTreeSizeMax);
  Hash hash = leaf;
  std::uint64_t at = size_++;
  for (unsigned level = 0;; ++level) {
    const std::uint64_t index = at / kTileWidth;
    const std::size_t before = at % kTileWidth;
    const auto [tile, fresh] = changed_.try_emplace({level, index});
    if (fresh && before != 0) {
      tile->second = kept_(level, index);
      CHECK(tile->second.size() >= before * kHashOctets);
      tile->second.resize(before * kHashOctets);
    }
    append(tile->second, hash);
    if (before + 1 != kTileWidth) return;
    hash = full_tile_root(tile->second);  // one hash of the tile above
    at = index;
  }
}

Hash Growth::root() const {
  return tree_root(size_, subtrees_of([this](unsigned level, std::uint64_t index) {
                     return tile(level, index);
                   }));
}

}  // namespace wattseal::tlog
