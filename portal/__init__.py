"""What people see: quality reports by source now; catalogue and search later."""
