// Keys and values of the tables of demand management. Private to smki.
#pragma once
#include "smki/demand.h"

namespace wattseal::smki {

Bytes demand_month_octets(const Month& month);  // 4 octets: months since year 0
Bytes forecast_key(Eui64 subscriber, const Month& round, std::uint32_t revision);
Bytes notice_key(Eui64 subscriber, const Month& month, std::uint32_t number);
Bytes withheld_key(const Month& month, Eui64 subscriber);
Bytes to_record(const Forecast& forecast);
Bytes to_record(const DemandNotice& notice);
Bytes to_record(const Withheld& withheld);

}  // namespace wattseal::smki
