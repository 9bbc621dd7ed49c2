// Every table of the store, in one place: ids and names are part of the on-disk format and never
// reused. Integers in keys are big-endian, so that octet order is number order.
#pragma once
#include "storage/store.h"

namespace wattseal::tables {

using storage::Table;

// SMKI: registration authority
inline constexpr Table parties{1, "parties"};  // party EUI-64 -> Party record
inline constexpr Table batches{
    2, "batches"};  // batch id(8) part(1): 'r' decisions, 'i' issued, 'p' published
inline constexpr Table batch_rows{
    3, "batch_rows"};  // batch id(8) row(4) -> refused with a rule, or issued with a serial
inline constexpr Table batch_requests{
    4, "batch_requests"};  // batch id(8) row(4) -> PKCS#10, until decided; of stores from before
                           // request_blocks
inline constexpr Table request_blocks{
    26, "request_blocks"};  // batch id(8) first row(4) -> rows that wait to be decided, PKCS#10
inline constexpr Table submissions{
    5, "submissions"};  // subscriber(8) SHA-256 of the submission -> batch id
// 6 was ca_work by batch; its order now is that of deciding
inline constexpr Table ca_work{
    42, "ca_queue"};  // order(8) class(1) subscriber(8) batch id(8) first row(4) -> rows for the CA
inline constexpr Table open_batches{
    17,
    "open_batches"};  // batch id(8) -> subscriber, rows, receipt, due; until every row is answered
inline constexpr Table maintenance{18, "maintenance"};  // number(8) -> from, until, why
inline constexpr Table uploads{19, "uploads"};          // subscriber(8) number(8) -> Upload record
inline constexpr Table upload_pieces{41, "upload_pieces"};  // upload number(8) offset(8) -> octets
inline constexpr Table held_rows{
    7, "held_rows"};  // batch id(8) row(4) -> authorised row that waits for people, as ca_work
inline constexpr Table people{8, "people"};  // person(8) -> Person record
inline constexpr Table acts{9, "acts"};      // act(8) -> Act record
// SMKI: certification authorities
inline constexpr Table authorities{10, "authorities"};  // profile id -> certificate DER, key label
inline constexpr Table keys_seen{
    12, "keys_seen"};  // SHA-256(point)[0,16) -> nothing: no key is certified twice
inline constexpr Table intents{
    13, "intents"};  // as ca_work -> serials of certificates about to be signed
inline constexpr Table revocations{14,
                                   "revocations"};  // issuer key id(8) serial(16) -> time, reason
inline constexpr Table crls{15, "crls"};            // issuer key id(8) -> latest CRL or ARL, DER
inline constexpr Table revocation_work{
    16, "revocation_work"};  // serial(16) -> authorised revocation: reason, act, trace
inline constexpr Table former_authorities{
    46, "former_authorities"};  // profile id / generation(4) -> as authorities
inline constexpr Table ceremonies{47, "ceremonies"};  // number(8) -> signed transcript, JSON
inline constexpr Table key_acts{48, "key_acts"};      // act(8) -> number of the ceremony it served
inline constexpr Table issued_counts{49,
                                     "issued_counts"};  // issuer key id(8) -> certificates issued
inline constexpr Table serials{54, "serials"};  // serial(16) -> nothing: taken, never drawn again
// SMKI: repository
inline constexpr Table certificates{
    20, "certificates"};  // serial(16) -> journal sequence of its issue fact
inline constexpr Table by_subject{
    21, "by_subject"};  // EUI(8) kind(1) use(1) role(1) notBefore(8) sequence(8) -> serial(16)
// 22 was an index of one row a certificate and field
inline constexpr Table certificate_postings{
    27, "certificate_postings"};  // field(1) its value, block(8) -> places within the block, 2
                                  // octets each
inline constexpr Table documents{23, "documents"};  // name 00 version(8) -> DocumentVersion record
inline constexpr Table document_contents{24, "document_contents"};  // SHA-256(32) -> octets
inline constexpr Table repository_access{
    25, "repository_access"};  // period(8) party(8) interface 00 query -> answered, refused
// SMKI: demand management
inline constexpr Table demand_forecasts{
    70, "demand_forecasts"};  // subscriber(8) round(4) revision(4) -> Forecast record
inline constexpr Table demand_notices{
    71, "demand_notices"};  // subscriber(8) month(4) number(4) -> DemandNotice record
inline constexpr Table demand_withheld{
    72, "demand_withheld"};  // month(4) subscriber(8) -> act, when, why
// Gateway
inline constexpr Table meter_points{30,
                                    "meter_points"};    // MPAN or MPRN text -> registration record
inline constexpr Table devices{31, "devices"};          // device EUI -> inventory record
inline constexpr Table hub_devices{32, "hub_devices"};  // hub EUI device EUI -> nothing
inline constexpr Table requests{
    33, "requests"};  // RequestID (24) service variant class(1) -> request record
inline constexpr Table commands_out{34, "commands_out"};  // order(8) -> command waiting for the WAN
inline constexpr Table awaiting{35,
                                "awaiting"};  // device originator counter code (26) -> request key
inline constexpr Table responses_out{
    36, "responses_out"};  // order(8) -> DUIS response waiting for its user
inline constexpr Table counters{37,
                                "counters"};  // originator(8) target(8) -> last counter reserved
inline constexpr Table user_endpoints{38,
                                      "user_endpoints"};  // user EUI -> URL of its response service
inline constexpr Table deferred{55, "deferred"};  // request key (25) -> accepted request that waits
                                                  // for its time, its predecessor or a person
inline constexpr Table deferred_due{56, "deferred_due"};  // due(8) request key(25) -> nothing
inline constexpr Table followers{57, "followers"};  // predecessor's request key(25) request key(25)
                                                    // -> nothing
inline constexpr Table local_commands{
    58, "local_commands"};  // as awaiting -> request key and trace of a command handed to its user
inline constexpr Table schedules{59,
                                 "schedules"};  // user(8) device(8) schedule(8) -> Schedule record
inline constexpr Table schedule_due{
    60, "schedule_due"};  // due(8) user(8) device(8) schedule(8) -> nothing
inline constexpr Table schedule_places{67, "schedule_places"};  // schedule(8) -> user(8) device(8)
inline constexpr Table anomaly_files{61, "anomaly_files"};  // user(8), 0 for the DCC -> lodged rows
inline constexpr Table anomaly_counts{
    62, "anomaly_counts"};  // user(8) minute(8) role 00 variant -> requests accepted
inline constexpr Table quarantine{63, "quarantine"};  // number(8) -> Quarantined record
inline constexpr Table undelivered{
    64, "undelivered"};  // order(8) -> response whose user was away for the time that it is held
inline constexpr Table awaiting_due{
    75, "awaiting_due"};  // due(8) table(1) key of that table -> nothing
inline constexpr Table commands_held{
    76, "commands_held"};  // device(8) key of commands_out -> command whose device is out of reach
inline constexpr Table products{
    77, "products"};  // manufacturer 00 model 00 firmware version -> Product record
inline constexpr Table firmware{78, "firmware"};  // 't' device(8) -> Transfer record; 'i' SHA-256
                                                  // -> image on its way
inline constexpr Table point_devices{79, "point_devices"};  // meter point 00 device(8) -> nothing
inline constexpr Table cos_registrations{
    85, "cos_registrations"};  // meter point text -> supplier, since: the CoS party's own view
// Recovery
inline constexpr Table recovery_cases{80, "recovery_cases"};      // case(8) -> Case record
inline constexpr Table recovery_devices{81, "recovery_devices"};  // case(8) device(8) -> Progress
inline constexpr Table recovery_due{82, "recovery_due"};  // due(8) case(8) device(8) -> nothing
inline constexpr Table device_credentials{
    83, "device_credentials"};  // device(8) -> cells with party and key identifier
inline constexpr Table recovery_notes{84, "recovery_notes"};  // case(8) number(8) -> Note record
inline constexpr Table alerts_seen{65, "alerts_seen"};  // device(8) target(8) -> last counters; now
                                                        // in alert_senders
inline constexpr Table alerts_out{66, "alerts_out"};    // lane(1) user(8) order(8) -> alert waiting
                                                        // for its user
inline constexpr Table alert_senders{68, "alert_senders"};  // device(8) target(8) -> last counters,
                                                            // periods of its codes
inline constexpr Table alert_consolidations{
    69, "alert_consolidations"};  // user(8) number(8) -> Consolidation record; with counter(8) ->
                                  // alert held back; 0(8) due(8) user(8) number(8) -> nothing
inline constexpr Table meta{40, "meta"};  // small named values: next batch id, next order
// Trust: the public log of certificates and lists, signed checkpoints of the journal
inline constexpr Table log_tiles{
    50, "log_tiles"};  // level(1) index(8) -> hashes of the tile, 32 octets each
inline constexpr Table log_bundles{
    51, "log_bundles"};  // bundle(8) -> journal sequences of its entries, 8 octets each
inline constexpr Table log_state{52, "log_state"};  // named values: size, checkpoint, mirror
inline constexpr Table journal_checkpoints{
    53, "journal_checkpoints"};  // facts under it(8) -> signed note

// Governance: the SMKI PMA, assurance, the SMKI Document Set
inline constexpr Table pma_seats{86, "pma_seats"};  // seat 00 m or a -> holder: member or alternate
inline constexpr Table pma_affiliations{
    87, "pma_affiliations"};  // organisation 00 organisation -> since when
inline constexpr Table pma_meetings{88, "pma_meetings"};  // meeting(8) -> Meeting record
inline constexpr Table pma_resolutions{89,
                                       "pma_resolutions"};  // resolution(8) -> Resolution record
inline constexpr Table assurance{90, "assurance"};  // a assessment(8), f assessment(8) finding(8),
                                                    // p provider, s assessor(8) -> record
inline constexpr Table document_set{
    91, "document_set"};  // m milestone, d document: dates; v document 00 version(8): decisions

}  // namespace wattseal::tables
