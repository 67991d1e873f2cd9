-- The enrolments of one device.
CREATE INDEX enrollments_of_device ON enrollments (device, id);
