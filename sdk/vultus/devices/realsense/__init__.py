"""Intel RealSense cameras and their own recordings, through librealsense."""
