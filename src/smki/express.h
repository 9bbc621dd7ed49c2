// The way of a single request that needs neither people nor a turn: it is judged before it is
// stored, and what waits at the same moment goes together through two durable commits: request,
// decision and intent; certificate and publication. The facts are those of the ordinary way (ra.h,
// ca.h), in the same order. Whatever cannot go this way goes the ordinary one: held for approval,
// sent before, during maintenance, a key store or a disk that failed on the way. A crash leaves
// what the certification authority finishes at the next start. Source: L4; spec/smki.md 3.1.
// Threads: any; callers take turns in leading a round for all who wait.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "smki/ca.h"
#include "smki/ra.h"
#include "smki/repository.h"

namespace wattseal::smki {

struct SingleAnswer {
  BatchId batch = 0;
  RowState state = RowState::waiting;  // published, refused, held or, after all the time, waiting
  CertificateSerial serial;
  Bytes certificate;         // DER, when published
  std::string rule, detail;  // when refused
  ActId act = 0;             // when held
};

// How the ordinary way is gone.
struct OrdinaryWay {
  std::function<void()> wake;         // somebody decides and issues
  std::function<bool(BatchId)> wait;  // for the answer; false: it takes too long
};

class ExpressLane {
 public:
  ExpressLane(const World& world, storage::Store& store, RegistrationAuthority& authority,
              Repository& repository, OrdinaryWay ordinary);
  // Everything goes the ordinary way until there is a certification authority.
  void open(CertificationAuthority& ca) { ca_ = &ca; }

  // Answers when the certificate is published, or with the refusal. Refuses what submit() refuses.
  Result<SingleAnswer> request(const Submission& submission);

 private:
  struct Waiting;
  void travel(Waiting& mine);
  std::vector<Waiting*> gather();
  void lead(const std::vector<Waiting*>& round);
  bool store_round(const std::vector<Waiting*>& round);
  void issue_round(const std::vector<Waiting*>& round);
  Result<SingleAnswer> go_ordinary(const Submission& submission);
  Result<SingleAnswer> wait_for(BatchId batch);

  const World& world_;
  storage::Store& store_;
  RegistrationAuthority& authority_;
  Repository& repository_;
  const OrdinaryWay ordinary_;
  CertificationAuthority* ca_ = nullptr;
  std::mutex mutex_;
  std::deque<Waiting*> queue_;
  unsigned leaders_ = 0;
};

}  // namespace wattseal::smki
