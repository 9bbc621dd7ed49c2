// Subcommands of `wattseal repository` that stand in files of their own. Private to apps.
#pragma once
#include "apps/commands/smki_client.h"

namespace wattseal::apps {

// The options of `wattseal repository` outlive the parser with it.
using RepositoryAddress = std::shared_ptr<const SmkiAddress>;

void add_documents(CLI::App& repository, Context& context, const RepositoryAddress& address);
void add_access(CLI::App& repository, Context& context);
void add_sftp(CLI::App& repository, Context& context);  // sftp-export, sftp-config, sftp-keys

}  // namespace wattseal::apps
