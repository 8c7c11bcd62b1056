# CARAT_VERSION: the project's version, with the commit where this is a git checkout ("0.1.0+3f2c1ab").
set(CARAT_VERSION ${PROJECT_VERSION})
find_program(GIT git)
if(GIT)
  execute_process(
    COMMAND ${GIT} -C ${CMAKE_SOURCE_DIR} rev-parse --short HEAD
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
  if(status EQUAL 0)
    string(APPEND CARAT_VERSION "+${commit}")
  endif()
endif()
