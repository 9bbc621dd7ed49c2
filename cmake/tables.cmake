# data/ becomes constexpr tables: tools/tablegen.py writes generated/tables/*.inc and is run again when a row changes.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
file(GLOB_RECURSE table_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/data/*.tsv ${CMAKE_SOURCE_DIR}/data/*.gmt)
set(generated_dir ${CMAKE_BINARY_DIR}/generated/tables)
# Ninja must know what is written, or a changed row would reach the objects only in the build after next.
set(generated_tables ${generated_dir}/rules.inc ${generated_dir}/gbcs_templates.inc)
foreach(table ${table_sources})
  if(table MATCHES "/data/([a-z_]+)\\.tsv$")
    list(APPEND generated_tables ${generated_dir}/${CMAKE_MATCH_1}.inc)
  endif()
endforeach()
add_custom_command(
  OUTPUT ${generated_dir}/.stamp
  BYPRODUCTS ${generated_tables}
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/tablegen.py ${CMAKE_SOURCE_DIR}/data ${generated_dir}
  COMMAND ${CMAKE_COMMAND} -E touch ${generated_dir}/.stamp
  DEPENDS ${table_sources} ${CMAKE_SOURCE_DIR}/tools/tablegen.py
  COMMENT "Compiling data/ into tables")
add_custom_target(wattseal_tables DEPENDS ${generated_dir}/.stamp)
