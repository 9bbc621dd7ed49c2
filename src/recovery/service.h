// Recovery over HTTP, on the gateway's address, JSON in and out. Every call is made by a person,
// told as in smki/office_service.h; reading is for people of the registration authority.
//   GET  /api/v1/recovery/tables                   compromises, methods, steps, kinds of notes
//   GET  /api/v1/recovery/cases                    newest first
//   GET  /api/v1/recovery/cases/{n}                one case with everything that happened to it
//   GET  /api/v1/recovery/cases/{n}/radius         how far it, or its order, reaches
//   GET  /api/v1/recovery/cases/{n}/devices?state=&after=   at most 1,000
//   GET  /api/v1/recovery/devices/{eui}            what a device holds
//   POST /api/v1/recovery/cases                    {"compromise", "party", "certificates": [],
//                                                  "evidence"}
//   POST /api/v1/recovery/cases/{n}/choose         {"method", "beneficiary", "certificates":
//                                                  {"supplier/DS": serial}, "path": [], "evidence"}
//   POST /api/v1/recovery/cases/{n}/decide         {"decision"}
//   POST /api/v1/recovery/cases/{n}/assemble       {"act"}
//   POST /api/v1/recovery/cases/{n}/execute        {"evidence", "envelope"}
//   POST /api/v1/recovery/cases/{n}/envelope       {"envelope"}
//   POST /api/v1/recovery/cases/{n}/notes          {"kind", "party", "pence", "text"}
//   POST /api/v1/recovery/cases/{n}/{event}        {"evidence"}: the other steps
//   POST /api/v1/recovery/holdings                 {"devices": [], "cells": {"supplier/DS":
//                                                  serial}}: what devices were installed with
// Rules: as recovery.h and recovery-input, ra-person-missing, office-person.
#pragma once
#include "http/http.h"
#include "recovery/recovery.h"

namespace wattseal::recovery {

struct RecoveryService {
  const World& world;
  Recovery& recovery;
  const smki::Office& office;
  const smki::Repository& repository;
  std::function<void()> wake;  // called after a step
};
// `service` outlives the router.
void add_recovery_routes(http::Router& router, const RecoveryService& service);

}  // namespace wattseal::recovery
