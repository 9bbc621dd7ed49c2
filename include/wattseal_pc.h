/* libwattseal-pc: Parse & Correlate, what the DCC must give its users, as a library for C and for
 * everything that can call C.
 *
 * ABI: the library's soname is libwattseal-pc.so.1. Within version 1 functions are only added; the
 * numbers of wattseal_pc_status do not change; both types are opaque. wattseal_pc_abi() of the
 * library that is loaded is at least WATTSEAL_PC_ABI of the header that was compiled with.
 *
 * Threads: a wattseal_pc may be used by any number of threads at once, wattseal_pc_add_* included;
 * only wattseal_pc_close must be the last call. A wattseal_pc_result belongs to one thread at a
 * time. No function throws, writes to standard output or reads files.
 *
 * Memory: what a function returns through `result` is freed with wattseal_pc_free, what an accessor
 * returns lives as long as its result. Input is copied. No result ever holds a private key.
 *
 * Sizes are in octets. Text is UTF-8 and ends with a NUL that its size does not count. Messages are
 * the octets of GBCS, not hexadecimal.
 */
#ifndef WATTSEAL_PC_H
#define WATTSEAL_PC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WATTSEAL_PC_ABI 1

typedef struct wattseal_pc wattseal_pc;
typedef struct wattseal_pc_result wattseal_pc_result;

/* What became of a call. Fits into an int, whatever the compiler makes of enums. */
typedef int32_t wattseal_pc_status;
#define WATTSEAL_PC_OK 0 /* done; the result has text */
#define WATTSEAL_PC_REFUSED \
  1 /* the input is wrong; the result has rule, explanation, found, field, fix */
#define WATTSEAL_PC_MISUSE \
  2 /* a pointer is NULL or an argument is none of those listed; no result */
#define WATTSEAL_PC_FAILED 3 /* the machine failed, out of memory for instance; no result */

uint32_t wattseal_pc_abi(void);
const char* wattseal_pc_version(void); /* "0.1.0" */

/* An empty context: no keys, no certificates, no devices. */
wattseal_pc_status wattseal_pc_open(wattseal_pc** pc);
void wattseal_pc_close(wattseal_pc* pc); /* NULL is allowed; keys are wiped */

/* A private key agreement key of your own, PEM: with it encrypted attributes are opened, MACs
 * verified and, `prepayment` not 0, prepayment codes made. `owner` is your EUI-64 as a number:
 * 90-57-53-00-00-01-00-00 is 0x9057530000010000. `result` may be NULL here and below when only the
 * status matters. Refuses key-malformed. */
wattseal_pc_status wattseal_pc_add_key(wattseal_pc* pc, uint64_t owner, int prepayment,
                                       const char* pem, size_t size, wattseal_pc_result** result);
/* A certificate of a device or organisation, PEM or DER; it says itself whose it is and for which
 * use. Refuses pem-malformed, der-*, certificate-*, profile-*. */
wattseal_pc_status wattseal_pc_add_certificate(wattseal_pc* pc, const uint8_t* certificate,
                                               size_t size, wattseal_pc_result** result);
/* The type of a device that requests name: "ESME", "GSME", "CHF", "GPF", "HCALCS", "PPMID", "IHD",
 * "CAD", "SAPC". Refuses apps-input. */
wattseal_pc_status wattseal_pc_add_device(wattseal_pc* pc, uint64_t device, const char* type,
                                          wattseal_pc_result** result);

/* A message as a JSON tree: kind, header, payload, "encrypted" with the plain octets or the rule
 * that says why not. Refuses gbcs-*, cosem-*, zcl-*, der-*. */
wattseal_pc_status wattseal_pc_parse(const wattseal_pc* pc, const uint8_t* message, size_t size,
                                     wattseal_pc_result** result);

/* Whether a pre-command says exactly what its service request said. `now`: seconds since 1970 UTC
 * (until the year 9999), with which the times that the DCC's clock chose are compared. The text is
 * JSON: use_case, values (how many were compared), clock_windows. Refuses correlate-* when it does
 * not, and duis-*, xml-*, gbcs-*. */
wattseal_pc_status wattseal_pc_correlate(const wattseal_pc* pc, const char* request,
                                         size_t request_size, const uint8_t* pre_command,
                                         size_t pre_command_size, int64_t now,
                                         wattseal_pc_result** result);

/* Signature and MAC against the certificates and keys of the context. The text is JSON:
 * {"signature": S, "mac": M}, each "verified", "absent", or "no key" when what is needed is not in
 * the context. Refuses gbcs-signature-mismatch, gbcs-mac-mismatch. */
wattseal_pc_status wattseal_pc_verify(const wattseal_pc* pc, const uint8_t* message, size_t size,
                                      wattseal_pc_result** result);

/* An answer or alert as an MMC document. `service`: the service reference variant of the DUIS
 * response that carried it, or NULL. Refuses mmc-command and as wattseal_pc_parse. */
#define WATTSEAL_PC_XML 0
#define WATTSEAL_PC_JSON 1
#define WATTSEAL_PC_REPORT 2 /* JSON: values, mapped, unmapped with where and rule */
wattseal_pc_status wattseal_pc_mmc(const wattseal_pc* pc, const uint8_t* message, size_t size,
                                   const char* service, int form, wattseal_pc_result** result);

/* A prepayment code of 20 digits; text: the digits. `counter`: its low 32 bits are 0. `pounds`: not
 * 0 for pounds, else pence. Refuses utrn-counter, utrn-value, gbcs-no-key. */
wattseal_pc_status wattseal_pc_utrn_make(const wattseal_pc* pc, uint64_t supplier, uint64_t meter,
                                         uint64_t counter, int pounds, uint32_t value,
                                         wattseal_pc_result** result);
/* Format and check digit of a code; text: JSON with value, unit, truncated_counter, mac. Refuses
 * utrn-format, utrn-check-digit, utrn-value. */
wattseal_pc_status wattseal_pc_utrn_check(const wattseal_pc* pc, const char* digits,
                                          wattseal_pc_result** result);

/* Of a result. What it does not have is empty, never NULL; so it is for a NULL result. */
const char* wattseal_pc_text(const wattseal_pc_result* result, size_t* size); /* size may be NULL */
const char* wattseal_pc_rule(const wattseal_pc_result* result); /* "correlate-value"; stable */
const char* wattseal_pc_explanation(
    const wattseal_pc_result* result);                           /* for people, one sentence */
const char* wattseal_pc_found(const wattseal_pc_result* result); /* what was found */
const char* wattseal_pc_field(const wattseal_pc_result* result); /* where */
const char* wattseal_pc_fix(const wattseal_pc_result* result);   /* what to do */
void wattseal_pc_free(wattseal_pc_result* result);               /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
