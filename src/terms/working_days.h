// Working Days of the Code: days that are neither a Saturday, a Sunday nor a bank holiday of
// England and Wales. The holidays follow from rules (New Year's Day, Good Friday, Easter Monday,
// the early May, spring and summer bank holidays, Christmas Day, Boxing Day, with their
// substitutes); what was proclaimed otherwise is a row of data/bank_holidays.tsv. Source: Banking
// and Financial Dealings Act 1971, Schedule 1. Pure; years 1978 (early May) to 9998. Threads: any.
#pragma once
#include "base/time.h"

namespace wattseal {

bool is_working_day(int year, int month, int day);
// The moment at which UK clocks end the n-th Working Day of a month, n from 1. CHECKs that the
// month has so many: 17 at least.
UtcTime working_day_ends(int year, int month, unsigned n);

}  // namespace wattseal
