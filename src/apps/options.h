// The options of the platform on the command line, in WATTSEAL_… variables and in the configuration
// file; one table in docs/configuration.md. Private to apps.
#pragma once
#include "apps/commands.h"
#include "apps/platform.h"

namespace wattseal::apps {

// Adds the options of keys and data; `ports` those of the servers too.
void add_platform_options(CLI::App& command, PlatformOptions& options, bool ports);

}  // namespace wattseal::apps
