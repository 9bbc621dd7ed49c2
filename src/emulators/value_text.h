// COSEM values as rows of data/emulated_objects.tsv write them. A value is a type, where it matters
// with "=" and what is in it: null, bool=1, u8 u16 u32 u64 i8 i16 i32 i64 enum with a decimal
// number, octets with hexadecimal, visible and utf8 with text, bits with zeros and ones;
// struct(…,…) and array(…,…) of values, compact(…) with the type of its rows and no row. In a list
// "3*u32" stands for three. Private to emulators.
#pragma once
#include <string_view>

#include "cosem/cosem.h"

namespace wattseal::emulators {

cosem::Value parse_value(std::string_view text);  // a row that cannot be read is our bug

// Whether a value that arrives may stand where the pattern stands: the same types all the way down;
// every item of an array is like the first of the pattern's; strings have any length.
bool fits(const cosem::Value& pattern, const cosem::Value& value);

// A value of a compact array's row type that holds the numbers in their order, 0 when they run out;
// what is a string takes `octets`.
cosem::Value shaped(const cosem::RowType& type, std::span<const std::int64_t>& numbers,
                    BytesView octets);

}  // namespace wattseal::emulators
