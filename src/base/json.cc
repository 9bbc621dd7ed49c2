#define WATTSEAL_JSON_HOME
#include "base/json.h"
