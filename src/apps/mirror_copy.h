// A mirror's folder on disk, for the commands that keep it and ask it. Private to apps.
#pragma once
#include <filesystem>

#include "apps/commands.h"
#include "smki/mirror.h"

namespace wattseal::apps {

// What a look-up in a mirror gives: the answer that the repository would give, and how old the copy
// is.
struct MirrorAnswer {
  http::Response response;
  smki::MirrorReport copy;
};
// The process that keeps the mirror may be at work. Refuses mirror-none.
Result<MirrorAnswer> ask_mirror(const World& world, const std::filesystem::path& folder,
                                const http::Request& request);
// How old the copy is: text for people, and data.
std::string staleness(const smki::MirrorReport& copy, UtcTime now);
nlohmann::json staleness_json(const smki::MirrorReport& copy, UtcTime now);

// wattseal repository mirror
void add_mirror(CLI::App& repository, Context& context);

}  // namespace wattseal::apps
