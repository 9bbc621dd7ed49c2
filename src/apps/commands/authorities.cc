// smki authorities | renewals
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "smki/lifecycle.h"
#include "storage/store.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  std::string data = "wattseal-data";
  unsigned within = static_cast<unsigned>(limit("certificate_reminder_days"));
};

void add_data(CLI::App& command, Given& given) {
  command
      .add_option("--data", given.data,
                  "Folder of the embedded store; nobody else may have it open")
      ->envname("WATTSEAL_DATA")
      ->capture_default_str();
}

Result<std::unique_ptr<storage::Store>> open(const Given& given) {
  TRY_ASSIGN(const std::filesystem::path folder, store_folder(given.data));
  return storage::open_rocksdb_store(folder);
}

std::string_view standing(const smki::AuthorityLife& life) {
  if (life.revoked) return "revoked";
  return life.current ? "current" : "former";
}

json to_json(const smki::AuthorityLife& life) {
  json out{{"profile", life.profile},
           {"name", life.name},
           {"generation", life.generation},
           {"standing", standing(life)},
           {"serial", life.serial.hex()},
           {"key", life.key_label},
           {"not_before", life.not_before.iso()},
           {"not_after", life.not_after.iso()},
           {"remind_from", life.remind_from ? json(life.remind_from->iso()) : json()},
           {"issued", life.issued},
           {"alarms", life.alarms}};
  if (life.list)
    out["list"] = {{"number", life.list->number},
                   {"entries", life.list->entries},
                   {"this_update", life.list->this_update.iso()},
                   {"next_update", life.list->next_update.iso()}};
  return out;
}

void print(const smki::AuthorityLife& life) {
  fmt::print("{:<12} {:<14} {:<8} {} certificates {:>8}\n", life.profile, life.name, standing(life),
             life.serial.hex(), life.issued);
  fmt::print("{:<12} ends {}{}\n", "", life.not_after.iso(),
             life.remind_from ? ", reminder from " + life.remind_from->iso() : "");
  if (life.list)
    fmt::print("{:<12} list {} with {} entries, next before {}\n", "", life.list->number,
               life.list->entries, life.list->next_update.iso());
  for (const std::string& alarm : life.alarms) fmt::print("{:<12} ALARM {}\n", "", alarm);
}

int authorities(const Context& context, const Given& given) {
  const Result<std::unique_ptr<storage::Store>> store = open(given);
  if (!store.ok()) return refuse(context, store.refusal());
  bool alarmed = false;
  json list = json::array();
  for (const smki::AuthorityLife& life : smki::authority_lives(**store, context.world.now())) {
    alarmed = alarmed || !life.alarms.empty();
    list.push_back(to_json(life));
    if (!context.json) print(life);
  }
  if (context.json) print_json(list);
  return alarmed ? kRefused : kDone;
}

int renewals(const Context& context, const Given& given) {
  const Result<std::unique_ptr<storage::Store>> store = open(given);
  if (!store.ok()) return refuse(context, store.refusal());
  const smki::Repository repository(context.world, **store);
  json list = json::array();
  for (const smki::Renewal& due :
       smki::renewals_due(**store, repository, context.world.now(), given.within)) {
    const std::string role(due.role ? name(*due.role) : "-");
    list.push_back({{"entity", due.entity.text()},
                    {"role", role},
                    {"use", text(due.use)},
                    {"serial", due.serial.hex()},
                    {"not_after", due.not_after.iso()}});
    if (!context.json)
      fmt::print("{}  {}  {:<20} {}  {}\n", due.not_after.iso(), due.entity.text(), role,
                 text(due.use), due.serial.hex());
  }
  if (context.json)
    print_json(list);
  else
    fmt::print("{} certificates end within {} days or have ended.\n", list.size(), given.within);
  return kDone;
}

}  // namespace

void add_authorities(CLI::App& smki, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const list = smki.add_subcommand(
      "authorities",
      "Every authority and generation: dates, list, certificates issued, alarms; the exit code is "
      "1 when there is an alarm");
  add_data(*list, *given);
  list->footer(examples({"wattseal smki authorities --data DIR",
                         "wattseal smki authorities --data DIR --json || mail -s alarm ops"}));
  list->callback([given, &context] {
    context.chosen = [given, &context] { return authorities(context, *given); };
  });
  CLI::App* const renew = smki.add_subcommand(
      "renewals", "Organisation Certificates that end soon and have no successor");
  add_data(*renew, *given);
  renew->add_option("--within", given->within, "Days from now")->capture_default_str();
  renew->footer(examples({"wattseal smki renewals --within 90 --data DIR",
                          "wattseal smki renewals --within 365 --json"}));
  renew->callback([given, &context] {
    context.chosen = [given, &context] { return renewals(context, *given); };
  });
}

}  // namespace wattseal::apps
