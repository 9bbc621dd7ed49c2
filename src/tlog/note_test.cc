#include "tlog/note.h"

#include <gtest/gtest.h>

namespace wattseal::tlog {
namespace {

crypto::KeyHandle key(std::string_view seed) {
  return crypto::key_from_test_scalar(crypto::sha256(as_bytes(seed))).value();
}

class Note : public ::testing::Test {
 protected:
  const crypto::KeyHandle key_ = key("log"), other_ = key("other");
  const Verifier trusted_{"log.example", key_->public_point()};
  const std::string text_ = "log.example\n7\n" + to_base64(leaf_hash({})) + "\ntime 1\n";
  const std::string note_ = sign_note(text_, "log.example", *key_);

  std::string_view rule(std::string_view note) const {
    const Result<std::string> opened = open_note(note, trusted_);
    return opened.ok() ? "opened" : opened.refusal().rule.text();
  }
};

TEST_F(Note, IsOpenedWithTheKeyThatSignedIt) {
  EXPECT_EQ(open_note(note_, trusted_).value(), text_);
  EXPECT_EQ(Verifier::parse(trusted_.text()).value(), trusted_);
  EXPECT_EQ(Verifier::parse(trusted_.text() + "\n").value(), trusted_);
  // A second signature, by somebody else, does no harm.
  const std::string both = note_ + sign_note(text_, "witness", *other_).substr(text_.size() + 1);
  EXPECT_EQ(rule(both), "opened");
  const Verifier witness("witness", other_->public_point());
  EXPECT_EQ(open_note(both, witness).value(), text_);
}

TEST_F(Note, IsRefusedWhenAnyOctetOfTheTextOrSignatureChanges) {
  for (std::size_t i = 0; i < note_.size(); ++i) {
    std::string changed = note_;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_NE(rule(changed), "opened") << i;
  }
  for (std::size_t length = 0; length < note_.size(); ++length)
    EXPECT_NE(rule(std::string_view(note_).substr(0, length)), "opened") << length;
}

TEST_F(Note, IsRefusedFromAnotherKeyOrUnderAnotherName) {
  EXPECT_EQ(rule(sign_note(text_, "log.example", *other_)), "tlog-signature");
  EXPECT_EQ(rule(sign_note(text_, "log.exampl", *key_)), "tlog-signature");
  EXPECT_EQ(rule("text\n"), "tlog-note");
  EXPECT_EQ(rule(note_ + "x\n"), "tlog-note");
  EXPECT_EQ(rule(note_ + std::string(20'000, 'x')), "tlog-note");
}

TEST_F(Note, KeysAreReadStrictly) {
  const std::string text = trusted_.text();
  for (const std::string& wrong :
       {std::string(), std::string("a+b"), "x" + text.substr(0, 20), "a b" + text,
        text.substr(0, text.size() - 4), text + "A", "log.example+00000000" + text.substr(20)})
    EXPECT_FALSE(Verifier::parse(wrong).ok()) << wrong;
}

TEST_F(Note, CheckpointsAreReadStrictly) {
  const Checkpoint read = Checkpoint::parse(text_).value();
  EXPECT_EQ(read.origin, "log.example");
  EXPECT_EQ(read.size, 7u);
  EXPECT_EQ(read.root, leaf_hash({}));
  EXPECT_EQ(read.extensions, std::vector<std::string>{"time 1"});
  EXPECT_EQ(read.text(), text_);
  const std::string root = to_base64(leaf_hash({}));
  for (const std::string& wrong :
       {std::string(), std::string("o\n"), "o\n7\n" + root, "o\n07\n" + root + "\n",
        "o\n-7\n" + root + "\n", "o\n7x\n" + root + "\n", "\n7\n" + root + "\n",
        "o\n7\n" + root + "A\n", "o\n7\n" + root.substr(4) + "\n", "o\n7\n" + root + "\n\n",
        "o\n99999999999999999999\n" + root + "\n", "o\n9223372036854775808\n" + root + "\n"})
    EXPECT_FALSE(Checkpoint::parse(wrong).ok()) << wrong;
}

}  // namespace
}  // namespace wattseal::tlog
