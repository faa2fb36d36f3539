# find_package(CudaL2Net) gives the target CudaL2Net::CudaL2Net.
get_filename_component(_cudal2net_root "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET CudaL2Net::CudaL2Net)
  add_library(CudaL2Net::CudaL2Net SHARED IMPORTED)
  set_target_properties(CudaL2Net::CudaL2Net PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${_cudal2net_root}/include"
    IMPORTED_LOCATION "${_cudal2net_root}/lib/${CMAKE_SHARED_LIBRARY_PREFIX}cudal2net${CMAKE_SHARED_LIBRARY_SUFFIX}")
  if(WIN32)
    set_target_properties(CudaL2Net::CudaL2Net PROPERTIES IMPORTED_IMPLIB "${_cudal2net_root}/lib/cudal2net.lib")
  endif()
endif()
unset(_cudal2net_root)
