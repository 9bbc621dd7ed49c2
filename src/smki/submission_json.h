// What the routes of the subscriber service share: who asks, what a submission is told. Private to
// smki.
#pragma once
#include <nlohmann/json.hpp>

#include "smki/batch_file.h"
#include "smki/ra_service.h"

namespace wattseal::smki {

// Refuses ra-subscriber-missing and what identify_caller() refuses.
Result<Caller> identify_subscriber(const SubscriberService& service, const http::Request& request);
Submission to_submission(const Caller& caller, BatchFile file, TraceId trace);
// A full queue says what is used, what may be and when to come again.
http::Response refuse_submission(const SubscriberService& service, Eui64 subscriber,
                                 const Refusal& refusal, TraceId trace);
// What a submission is told at once: its number, when its answer is due, and when the service goes
// on while it does not serve.
nlohmann::json receipt(const SubscriberService& service, BatchId batch);

void add_upload_routes(http::Router& router, const SubscriberService& service);

}  // namespace wattseal::smki
