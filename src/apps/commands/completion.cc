#include <fmt/format.h>

#include "apps/commands.h"

namespace wattseal::apps {
namespace {

// Words that may follow a command: its subcommands and long options.
std::string words_of(const CLI::App& command) {
  std::string words;
  for (const CLI::App* one : command.get_subcommands([](const CLI::App*) { return true; })) {
    if (!one->get_name().empty()) words += one->get_name() + " ";
  }
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) words += "--" + name + " ";
  }
  return words;
}

void add_cases(const CLI::App& command, const std::string& path, std::string& cases,
               std::string& paths) {
  paths += (paths.empty() ? "\"" : " | \"") + path + "\"";
  cases += "    \"" + path + "\") words=\"" + words_of(command) + "\" ;;\n";
  for (const CLI::App* one : command.get_subcommands([](const CLI::App*) { return true; })) {
    if (!one->get_name().empty()) add_cases(*one, path + " " + one->get_name(), cases, paths);
  }
}

}  // namespace

void add_completion(CLI::App& app, Context& context) {
  CLI::App* const command = app.add_subcommand(
      "completion", "Print a completion script for bash (zsh: after bashcompinit)");
  command->footer(examples(
      {"source <(wattseal completion)", "wattseal completion > /etc/bash_completion.d/wattseal"}));
  command->callback([&app, &context] {
    context.chosen = [&app] {
      std::string cases, paths;  // values of options are no part of a path
      add_cases(app, "wattseal", cases, paths);
      fmt::print(
          "_wattseal() {{\n  local words path=wattseal word\n  for word in "
          "\"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n    case \"$path $word\" in\n      {}) "
          "path=\"$path $word\" ;;\n    esac\n  done\n"
          "  case \"$path\" in\n{}    *) words=\"\" ;;\n  esac\n"
          "  if [[ -n $words ]]; then COMPREPLY=($(compgen -W \"$words\" -- "
          "\"${{COMP_WORDS[COMP_CWORD]}}\")); else COMPREPLY=($(compgen -f -- "
          "\"${{COMP_WORDS[COMP_CWORD]}}\")); fi\n}}\n"
          "complete -o default -F _wattseal wattseal\n",
          paths, cases);
      return kDone;
    };
  });
}

}  // namespace wattseal::apps
