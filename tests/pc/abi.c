/* The C interface as a program in C uses it. Without arguments: what needs no data. With a folder
 * of reference data: its files, named in the arguments that follow:
 *   abi FOLDER RESPONSE KEY DEVICE_CERTIFICATE SIGNER_CERTIFICATE REQUEST PRE_COMMAND NOW
 * Ends with 0 when all is as it should be, else says in which line it is not. */
#include "wattseal_pc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition)                                       \
  do {                                                        \
    if (!(condition)) {                                       \
      fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
      exit(1);                                                \
    }                                                         \
  } while (0)

static char* file(const char* name, size_t* size) {
  FILE* in = fopen(name, "rb");
  MUST(in != NULL);
  char* content = malloc(1 << 20);
  MUST(content != NULL);
  *size = fread(content, 1, 1 << 20, in);
  fclose(in);
  return content;
}

static uint8_t* octets_of(const char* name, size_t* size) {
  size_t length = 0, digits = 0;
  char* text = file(name, &length);
  uint8_t* octets = malloc(length);
  MUST(octets != NULL);
  for (size_t i = 0; i < length; ++i) {
    const char* at = text[i] > ' ' ? strchr("0123456789ABCDEF0123456789abcdef", text[i]) : NULL;
    if (at == NULL) continue;
    const char* all = "0123456789ABCDEF0123456789abcdef";
    const char* first = strchr(all, text[i]);
    unsigned value = (unsigned)(first - all) & 15u;
    if (digits % 2 == 0)
      octets[digits / 2] = (uint8_t)(value << 4);
    else
      octets[digits / 2] = (uint8_t)(octets[digits / 2] | value);
    ++digits;
  }
  *size = digits / 2;
  free(text);
  return octets;
}

static void without_data(wattseal_pc* pc) {
  wattseal_pc_result* result = NULL;
  MUST(wattseal_pc_abi() >= WATTSEAL_PC_ABI);
  MUST(strlen(wattseal_pc_version()) > 0);
  MUST(wattseal_pc_parse(pc, (const uint8_t*)"", 0, &result) == WATTSEAL_PC_REFUSED);
  MUST(strcmp(wattseal_pc_rule(result), "gbcs-truncated") == 0);
  MUST(strlen(wattseal_pc_explanation(result)) > 0 && strlen(wattseal_pc_fix(result)) > 0);
  MUST(strlen(wattseal_pc_text(result, NULL)) == 0);
  wattseal_pc_free(result);
  MUST(wattseal_pc_parse(pc, NULL, 3, &result) == WATTSEAL_PC_MISUSE && result == NULL);
  MUST(wattseal_pc_parse(NULL, (const uint8_t*)"", 0, &result) == WATTSEAL_PC_MISUSE);
  MUST(wattseal_pc_mmc(pc, (const uint8_t*)"", 0, NULL, 7, &result) == WATTSEAL_PC_MISUSE);
  MUST(wattseal_pc_open(NULL) == WATTSEAL_PC_MISUSE);
  MUST(wattseal_pc_parse(pc, (const uint8_t*)"", 0, NULL) == WATTSEAL_PC_REFUSED);
  MUST(wattseal_pc_utrn_check(pc, "74301825837596672006", &result) == WATTSEAL_PC_REFUSED);
  MUST(strcmp(wattseal_pc_rule(result), "utrn-check-digit") == 0);
  wattseal_pc_free(result);
  MUST(wattseal_pc_utrn_make(pc, 1, 2, 1, 0, 10, &result) == WATTSEAL_PC_REFUSED);
  MUST(strcmp(wattseal_pc_rule(result), "gbcs-no-key") == 0);
  wattseal_pc_free(result);
  MUST(wattseal_pc_add_device(pc, 1, "TOASTER", &result) == WATTSEAL_PC_REFUSED);
  wattseal_pc_free(result);
  MUST(wattseal_pc_add_device(pc, 1, "GSME", NULL) == WATTSEAL_PC_OK);
  MUST(wattseal_pc_add_key(pc, 1, 0, "no key", 6, &result) == WATTSEAL_PC_REFUSED);
  MUST(strcmp(wattseal_pc_rule(result), "key-malformed") == 0);
  wattseal_pc_free(result);
  wattseal_pc_free(NULL);
  wattseal_pc_close(NULL);
  MUST(strcmp(wattseal_pc_rule(NULL), "") == 0);
}

static void with_data(wattseal_pc* pc, char** given) {
  size_t size = 0, request_size = 0, text_size = 0;
  wattseal_pc_result* result = NULL;
  uint8_t* response = octets_of(given[0], &size);
  MUST(wattseal_pc_parse(pc, response, size, &result) == WATTSEAL_PC_OK);
  MUST(strstr(wattseal_pc_text(result, NULL), "gbcs-no-key") != NULL);
  wattseal_pc_free(result);
  size_t pem_size = 0;
  char* pem = file(given[1], &pem_size);
  MUST(wattseal_pc_add_key(pc, 0x90B3D51F30010000u, 0, pem, pem_size, NULL) == WATTSEAL_PC_OK);
  free(pem);
  for (int i = 2; i < 4; ++i) {
    pem = file(given[i], &pem_size);
    const wattseal_pc_status status =
        wattseal_pc_add_certificate(pc, (const uint8_t*)pem, pem_size, &result);
    if (status != WATTSEAL_PC_OK) fprintf(stderr, "%s\n", wattseal_pc_found(result));
    MUST(status == WATTSEAL_PC_OK);
    wattseal_pc_free(result);
    free(pem);
  }
  MUST(wattseal_pc_parse(pc, response, size, &result) == WATTSEAL_PC_OK);
  MUST(strstr(wattseal_pc_text(result, &text_size), "plaintext") != NULL);
  MUST(text_size == strlen(wattseal_pc_text(result, NULL)));
  wattseal_pc_free(result);
  MUST(wattseal_pc_verify(pc, response, size, &result) == WATTSEAL_PC_OK);
  MUST(strstr(wattseal_pc_text(result, NULL), "\"mac\":\"verified\"") != NULL);
  wattseal_pc_free(result);
  MUST(wattseal_pc_mmc(pc, response, size, NULL, WATTSEAL_PC_XML, &result) == WATTSEAL_PC_OK);
  MUST(strstr(wattseal_pc_text(result, NULL), "<ra:ActiveEnergyUnit>Wh<") != NULL);
  wattseal_pc_free(result);
  MUST(wattseal_pc_mmc(pc, response, size, NULL, WATTSEAL_PC_JSON, &result) == WATTSEAL_PC_OK);
  wattseal_pc_free(result);
  response[size - 1] ^= 1;
  MUST(wattseal_pc_verify(pc, response, size, &result) == WATTSEAL_PC_REFUSED);
  MUST(strcmp(wattseal_pc_rule(result), "gbcs-mac-mismatch") == 0);
  wattseal_pc_free(result);
  free(response);
  char* request = file(given[4], &request_size);
  uint8_t* pre_command = octets_of(given[5], &size);
  const int64_t now = strtoll(given[6], NULL, 10);
  MUST(wattseal_pc_correlate(pc, request, request_size, pre_command, size, now, &result) ==
       WATTSEAL_PC_OK);
  MUST(strstr(wattseal_pc_text(result, NULL), "\"use_case\"") != NULL);
  wattseal_pc_free(result);
  pre_command[size - 1] ^= 1;
  MUST(wattseal_pc_correlate(pc, request, request_size, pre_command, size, now, &result) ==
       WATTSEAL_PC_REFUSED);
  MUST(strstr(wattseal_pc_rule(result), "correlate-") == wattseal_pc_rule(result));
  wattseal_pc_free(result);
  free(request);
  free(pre_command);
}

int main(int count, char** words) {
  wattseal_pc* pc = NULL;
  MUST(wattseal_pc_open(&pc) == WATTSEAL_PC_OK);
  without_data(pc);
  if (count == 8) with_data(pc, words + 1);
  wattseal_pc_close(pc);
  puts("good");
  return 0;
}
