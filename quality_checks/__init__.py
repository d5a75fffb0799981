"""Quality of one source: rules on its tables and its accounting, the verdict, and the report a person reads.

Great Expectations is imported only while tables are judged (8 s and 500 MB): the rules themselves are plain data.
"""
