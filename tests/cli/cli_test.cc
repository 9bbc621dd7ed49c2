// The program as a person or a script calls it: exit codes, configuration, help, completion.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "http/http.h"
#include "tests/shell.h"
#include "tests/vectors.h"

namespace wattseal {
namespace {

namespace fs = std::filesystem;

using test::Ran;
using test::shell;
Ran wattseal(const std::string& words) { return shell(WATTSEAL_PROGRAM " " + words); }

struct Folder {
  fs::path path = fs::temp_directory_path() / ("wattseal-cli-" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(path / name) << content;
    return (path / name).string();
  }
};

TEST(ExitCodes, TellWrongUseFromRefusals) {
  EXPECT_EQ(wattseal("--version").code, 0);
  EXPECT_EQ(wattseal("").code, 2);
  EXPECT_EQ(wattseal("nonsense").code, 2);
  EXPECT_NE(wattseal("nonsense").out.find("no command 'nonsense'"), std::string::npos);
  EXPECT_EQ(wattseal("demo --meters 1 --json /nonexistent/x.json").code, 3);
  EXPECT_EQ(wattseal("gbcs parse /nonexistent/message.hex").code, 2);
  EXPECT_EQ(wattseal("utrn 00000000000000000000").code, 1);
  EXPECT_EQ(wattseal("repository --url http://127.0.0.1:9 --serial 01").code, 3);
  EXPECT_EQ(wattseal("repository --url http://127.0.0.1:9 --serial 01").out.find("boost"),
            std::string::npos)
      << "people read no file names of libraries";
  EXPECT_EQ(wattseal("gbcs use-cases --json | head -n 1 >/dev/null; echo ${PIPESTATUS[0]}")
                .out.find("Broken pipe"),
            std::string::npos);
}

// A flag wins over a variable, a variable over the file, the file over the default. `correlate` and
// others need a service; `ra kinds` does not, so its --url is looked at in the help of a failing
// call.
TEST(Configuration, AFlagWinsOverAVariableAVariableOverTheFileTheFileOverTheDefault) {
  const Folder folder;
  const std::string file = folder.write("w.ini", "[repository]\nurl = \"http://127.0.0.1:11\"\n");
  const auto asked = [&](const std::string& before, const std::string& after) {
    const std::string out =
        shell(before + " " WATTSEAL_PROGRAM " " + after + " repository --serial 01").out;
    const std::size_t at = out.find("127.0.0.1:");
    return at == std::string::npos ? out : out.substr(at + 10, out.find(' ', at) - at - 10);
  };
  EXPECT_EQ(asked("", "--config " + file), "11");
  EXPECT_EQ(asked("WATTSEAL_REPOSITORY_URL=http://127.0.0.1:12", ""), "12");
  EXPECT_EQ(asked("WATTSEAL_REPOSITORY_URL=http://127.0.0.1:12", "--config " + file), "12");
  const std::string out =
      shell("WATTSEAL_REPOSITORY_URL=http://127.0.0.1:12 " WATTSEAL_PROGRAM " --config " + file +
            " repository --serial 01 --url http://127.0.0.1:13")
          .out;
  EXPECT_NE(out.find("127.0.0.1:13 "), std::string::npos) << out;
}

TEST(Configuration, AKeyThatNothingReadsIsAMistake) {
  const Folder folder;
  const std::string file = folder.write("w.ini", "[up]\ngateway-prot = 12\n");
  const Ran ran = wattseal("--config " + file + " utrn 00000000000000000000");
  EXPECT_EQ(ran.code, 2) << ran.out;
  EXPECT_NE(ran.out.find("gateway-prot"), std::string::npos) << ran.out;
}

TEST(Configuration, KeysInMemoryDoNotGoWithAStoreThatStays) {
  const Folder folder;
  const Ran ran = wattseal("up --json --keys memory --data " + (folder.path / "store").string());
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.out.find("apps-keys-memory"), std::string::npos) << ran.out;
}

// Every path of subcommands.
std::set<std::string> commands(const std::string& path = "") {
  std::set<std::string> all;
  const std::string help = wattseal(path + " --help").out;
  std::size_t at = help.find("\nSubcommands:\n");
  if (at == std::string::npos) return all;
  std::istringstream in(help.substr(at + 14));
  for (std::string line; std::getline(in, line) && line.starts_with("  ");) {
    if (line.size() < 3 || line[2] == ' ') continue;
    const std::string name = path + " " + line.substr(2, line.find(' ', 2) - 2);
    all.insert(name);
    all.merge(commands(name));
  }
  return all;
}

TEST(Conformance, TellsByItsExitCodeThatOneRequestIsSpoilt) {
  WATTSEAL_NEEDS_VECTORS(vectors);
  Folder folder;
  const fs::path set = folder.path / "rtds";
  fs::copy(vectors / "rtds", set, fs::copy_options::recursive);
  for (const fs::path& given : {set, folder.path}) {
    const Ran ran = wattseal("conformance rtds --json --vectors " + given.string());
    EXPECT_EQ(ran.code, 0);
    const nlohmann::json report = nlohmann::json::parse(ran.out);
    std::size_t counted = 0;
    for (const auto& [check, results] : report["counts"].items()) {
      for (const auto& [result, count] : results.items()) counted += count.get<std::size_t>();
    }
    EXPECT_EQ(counted, report["outcomes"].size());
    EXPECT_GT(counted, 2000u);
  }
  EXPECT_EQ(wattseal("conformance rtds --vectors " + set.string()).code, 0);
  std::ofstream(set / "duis-templates-db1dd08" / "ECS42_7.1_SUCCESS_REQUEST_DUIS.XML") << "<x/>";
  const Ran spoilt = wattseal("conformance rtds --vectors " + set.string());
  EXPECT_EQ(spoilt.code, 1);
  EXPECT_EQ(spoilt.out.find("differs "), spoilt.out.rfind("\ndiffers ") + 1)
      << "one row alone differs";
  const Ran unknown = wattseal("conformance rtds --use-case NOPE --vectors " + set.string());
  EXPECT_EQ(unknown.code, 1);
  EXPECT_TRUE(unknown.out.starts_with("apps-use-case: ")) << unknown.out;
}

TEST(Duis, MakesDescribesAndValidatesRequests) {
  const Folder folder;
  const std::string file = (folder.path / "request.xml").string();
  const std::string parties =
      " --originator 90-57-53-00-00-01-00-00 --target 00-57-53-00-00-00-00-01 --counter 7";
  EXPECT_EQ(wattseal("duis new 7.12 RandomisedOffsetLimit=900 --out " + file + parties).code, 0);
  EXPECT_EQ(wattseal("duis validate " + file).out, file + ": valid\n");
  EXPECT_NE(wattseal("duis show " + file).out.find("Randomised Offset Limit"), std::string::npos);
  const Ran unknown = wattseal("duis new 7.12 Limit=900" + parties);
  EXPECT_EQ(unknown.code, 1);
  EXPECT_TRUE(unknown.out.starts_with("duis-key: ")) << unknown.out;
  EXPECT_EQ(wattseal("duis new 7.12 RandomisedOffsetLimit=1800" + parties).code, 1);
  EXPECT_EQ(wattseal("duis new 7.12 RandomisedOffsetLimit=1").code, 1) << "nobody is named";
  const std::string text = test::read_text(file);
  std::string wrong = text;
  wrong.replace(wrong.find(">900<"), 5, ">1800<");
  const std::string bad = folder.write("bad.xml", wrong);
  const Ran verdicts = wattseal("duis validate --json " + file + " " + bad);
  EXPECT_EQ(verdicts.code, 1);
  const nlohmann::json list = nlohmann::json::parse(verdicts.out);
  EXPECT_TRUE(list[0]["valid"].get<bool>());
  EXPECT_EQ(list[1]["rule"], "duis-value");
  EXPECT_EQ(list[1]["field"], "/Request/Body/SetRandomisedOffsetLimit/RandomisedOffsetLimit");
  EXPECT_EQ(list[1]["found"], "the value is not an integer from 0 to 1799");
  EXPECT_EQ(wattseal("duis validate --xsd " + folder.path.string() + " " + file).code, 1)
      << "there is no schema";
  const nlohmann::json page = nlohmann::json::parse(wattseal("duis describe 1.1.1 --json").out);
  EXPECT_EQ(page["element"], "UpdateImportTariffPrimaryElement");
  EXPECT_GT(page["body"].size(), 50u);
  EXPECT_EQ(wattseal("duis describe 9.9").code, 1);
  EXPECT_NE(wattseal("duis describe").out.find("1.1.1"), std::string::npos);
}

TEST(Duis, ValidatesWithTheOfficialSchemas) {
  WATTSEAL_NEEDS_VECTORS(vectors);
  const std::string xsd = " --xsd " + (vectors / "rtds/duis-xsd-and-xmldsig-keys").string();
  const std::string requests = (vectors / "rtds/duis-templates-932e18d").string() + "/*.XML";
  const Ran good = wattseal("duis validate --json " + requests + xsd);
  EXPECT_EQ(good.code, 0);
  for (const nlohmann::json& one : nlohmann::json::parse(good.out)) {
    EXPECT_TRUE(one["official"]["valid"].get<bool>());
    EXPECT_TRUE(one["agree"].get<bool>());
  }
}

TEST(Duis, ServesSignatures) {
  WATTSEAL_NEEDS_VECTORS(vectors);
  const Folder folder;
  const std::string keys = (vectors / "rtds/duis-xsd-and-xmldsig-keys").string();
  const std::string shown = (folder.path / "served.json").string();
  const Ran started = shell(WATTSEAL_PROGRAM " duis serve --json --port 0 --test-keys " + keys +
                            " > " + shown + " 2>&1 & echo $!");
  struct Server {
    pid_t id;
    ~Server() { ::kill(id, SIGTERM); }
  };
  const Server server{static_cast<pid_t>(std::stol(started.out))};
  nlohmann::json served;
  for (int i = 0; i < 200 && !served.is_object(); ++i) {
    ::usleep(50'000);
    if (fs::exists(shown)) served = nlohmann::json::parse(test::read_text(shown), nullptr, false);
  }
  ASSERT_TRUE(served.is_object()) << test::read_text(shown);
  const auto client = http::Client::open(served["url"].get<std::string>());
  ASSERT_TRUE(client.ok());
  const std::string request =
      test::read_text(vectors / "rtds/duis-templates-932e18d/ECS42_7.1_SUCCESS_REQUEST_DUIS.XML");
  const nlohmann::json asked{{"message", to_base64(as_bytes(request))}};
  const http::Response is_signed = (*client)->post("/sign", "application/json", asked.dump());
  EXPECT_EQ(is_signed.status, 200);
  EXPECT_EQ((*client)->post("/verify", "application/json", is_signed.body).status, 200);
  EXPECT_EQ((*client)->post("/sign", "application/json", "{}").status, 400);
  EXPECT_EQ((*client)->get("/sign").status, 405);
}

TEST(Help, EveryCommandHasExamplesOfItsOwn) {
  const std::set<std::string> all = commands();
  EXPECT_GT(all.size(), 25u);
  for (const std::string& path : all) {
    const std::string help = wattseal(path + " --help").out;
    const std::size_t examples = help.find("Examples:");
    ASSERT_NE(examples, std::string::npos) << path;
    EXPECT_NE(help.find("wattseal" + path, examples), std::string::npos)
        << path << " shows another command's examples";
  }
}

TEST(Completion, KnowsCommandsAndTheirOptionsAlsoAfterValues) {
  const Folder folder;
  const auto complete = [&](const std::string& words) {
    const std::string script = folder.write(
        "c.bash",
        "source <(" WATTSEAL_PROGRAM " completion)\nCOMP_WORDS=(" + words +
            ")\nCOMP_CWORD=$((${#COMP_WORDS[@]}-1))\n_wattseal\necho \"${COMPREPLY[@]}\"\n");
    return " " + shell("bash " + script).out;
  };
  EXPECT_NE(complete("wattseal de").find(" demo"), std::string::npos);
  EXPECT_NE(complete("wattseal demo --me").find("--meters"), std::string::npos);
  EXPECT_NE(complete("wattseal demo --data /x --me").find("--meters"), std::string::npos);
  EXPECT_NE(complete("wattseal ra app").find("approve"), std::string::npos);
}

}  // namespace
}  // namespace wattseal
