// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/fused_access.h"

namespace eddy {

std::optional<FusedOp::Access> fused_access(const TensorType& type, const Shape& shape, FusedDivision& division) {
  FusedOp::Access access{.index = 0, .dtype = type.dtype, .begin = 0, .row_stride = 0, .column_stride = 1};
  const std::int64_t elements = type.shape.elements();
  if (elements == division.elements) {
    access.row_stride = -1;  // of the columns, once they are known
    return access;
  }
  if (elements == 1) {
    access.column_stride = 0;
    return access;
  }
  // The axes along which the input does not move must all be neighbours.
  Shape own = type.shape;
  while (own.rank() < shape.rank()) own = own.inserted(0, 1);
  int first = 0, last = own.rank();
  while (own[first] == 1 && shape[first] != 1) ++first;
  if (own.product(first, last) == shape.product(first, last)) {
    if (!division.agree(elements)) return {};
    return access;
  }
  while (last > 0 && own[last - 1] == 1) --last;
  if (own.product(0, last) == shape.product(0, last)) {
    if (!division.agree(shape.product(last, shape.rank()))) return {};
    access.row_stride = 1;
    access.column_stride = 0;
    return access;
  }
  int middle = 0, back = own.rank();
  while (own[middle] == shape[middle]) ++middle;
  while (own[back - 1] == shape[back - 1]) --back;
  if (own.product(middle, back) != 1 || !division.agree(shape.product(back, shape.rank()))) return {};
  access.row_stride = division.columns;
  access.row_repeat = shape.product(middle, back);
  return access;
}

}  // namespace eddy
